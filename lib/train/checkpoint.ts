// Checkpoints: whole folders `checkpoints/step-N`, written aside and renamed, from which a run goes on to the same bits.
//
//   state.json              step, place in the text, settings, class of bits, fingerprints of model and text, curves
//   layer_{i}.safetensors   every parameter with its two moments; since, before: the counts behind AuxK (deaths.ts)
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import type { Parameter } from '../optim/adam.ts'
import { replaceFile, writeFolder } from '../safetensors/atomic.ts'
import { openSafetensors } from '../safetensors/reader.ts'
import { type TensorToWrite, writeSafetensors } from '../safetensors/writer.ts'
import type { TextPosition } from '../text/shuffled.ts'
import type { Deaths } from './deaths.ts'
import type { History } from './history.ts'
import type { Settings } from './settings.ts'
import type { Trainee } from './step.ts'

/** What must be the same for a resume to give the same bits. */
export interface Identity {
  readonly settings: Settings
  /** Class of bits of the device: sums are rounded alike within one. */
  readonly bits: string
  readonly model: string
  readonly text: string
}

/** `state.json`. */
export interface RunState {
  readonly format: 'transweld-checkpoint'
  readonly version: 1
  readonly identity: Identity
  /** Steps done. */
  readonly step: number
  /** Number of the shuffle block that is being drained, where its text began, and batches taken from it. */
  readonly block: number
  readonly blockStart: TextPosition
  readonly taken: number
  readonly seconds: number
  readonly history: History
}

const KEPT = 2     // checkpoints: the last one, and the one before in case the disk lied

/** Folder of the checkpoint after `step` steps. */
export function checkpointFolder(out: string, step: number): string { return join(out, 'checkpoints', `step-${step}`) }

/** Writes a checkpoint, then removes all but the last two. A failure leaves the earlier ones as they were. */
export async function saveCheckpoint(out: string, state: RunState, trainees: readonly Trainee[], deaths: readonly Deaths[]): Promise<string> {
  const folder = checkpointFolder(out, state.step)
  await writeFolder(folder, async temporary => {
    for (const [i, trainee] of trainees.entries()) await writeSafetensors(join(temporary, `layer_${trainee.layer}.safetensors`), tensorsOf(trainee, deaths[i]!))
    await replaceFile(join(temporary, 'state.json'), JSON.stringify(state))
  }, { replace: true })
  const steps = await savedSteps(out)
  for (const step of steps.slice(0, -KEPT)) await rm(checkpointFolder(out, step), { recursive: true, force: true })
  return folder
}

/** The steps of the checkpoints in a run's folder, ascending. */
export async function savedSteps(out: string): Promise<number[]> {
  const names = await readdir(join(out, 'checkpoints')).catch(() => [] as string[])
  return names.flatMap(name => /^step-(\d+)$/.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b)
}

/** Reads the state of the last checkpoint; undefined where there is none. */
export async function lastState(out: string): Promise<RunState | undefined> {
  const step = (await savedSteps(out)).at(-1)
  if (step === undefined) return undefined
  const path = join(checkpointFolder(out, step), 'state.json')
  try {
    const state = JSON.parse(await readFile(path, 'utf8')) as RunState
    if (state.format === 'transweld-checkpoint' && state.version === 1) return state
  } catch (cause) { throw new TransweldError('ERR_FORMAT', `${path} cannot be read as a checkpoint's state`, { cause }) }
  throw new TransweldError('ERR_FORMAT', `${path} is no checkpoint of version 1`)
}

/** Refuses to go on where anything that decides the bits differs. */
export function checkIdentity(found: Identity, wanted: Identity): void {
  const flat = ({ settings, ...rest }: Identity): Record<string, unknown> => ({ ...settings, ...rest })
  const a = flat(found), b = flat(wanted)
  const names = { bits: 'the class of bits of the device', model: 'the model', text: 'the text' } as Record<string, string>
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (JSON.stringify(a[key]) === JSON.stringify(b[key])) continue
    const values = key === 'model' || key === 'text' ? '' : `: the checkpoint has ${JSON.stringify(a[key])}, this run ${JSON.stringify(b[key])}`
    throw new TransweldError('ERR_RESUME', `expected ${names[key] ?? `the setting ${key}`} to be that of the checkpoint, but it differs${values}. `
      + 'Resume with the same settings, or train into another folder')
  }
}

/** Fills trainees from the checkpoint after `step` steps; returns what `Deaths` begins with. */
export async function loadCheckpoint(out: string, step: number, trainees: readonly Trainee[]): Promise<{ since: Uint32Array, before: Uint32Array }[]> {
  const states: { since: Uint32Array, before: Uint32Array }[] = []
  for (const trainee of trainees) {
    const path = join(checkpointFolder(out, step), `layer_${trainee.layer}.safetensors`)
    const file = await openSafetensors(path)
    try {
      for (const [name, parameter] of Object.entries(trainee.parameters) as [string, Parameter][]) {
        for (const part of ['value', 'm', 'v'] as const) {
          const tensor = parameter[part], { shape, data } = await file.readFloat32(`${name}.${part}`)
          if (shape[0] !== tensor.rows || shape[1] !== tensor.columns) {
            throw new TransweldError('ERR_FORMAT', `expected ${name}.${part} of shape [${tensor.rows},${tensor.columns}] in ${path} but its shape is [${shape}]`)
          }
          tensor.write(data)
        }
      }
      const counts = async (name: string): Promise<Uint32Array> => {
        const { bytes } = await file.read(name)
        return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
      }
      states.push({ since: await counts('since'), before: await counts('before') })
    } finally { await file.close() }
  }
  return states
}

function tensorsOf(trainee: Trainee, deaths: Deaths): Record<string, TensorToWrite> {
  const out: Record<string, TensorToWrite> = {}
  for (const [name, parameter] of Object.entries(trainee.parameters) as [string, Parameter][]) {
    for (const part of ['value', 'm', 'v'] as const) {
      const tensor = parameter[part]
      out[`${name}.${part}`] = { dtype: 'F32', shape: [tensor.rows, tensor.columns], data: () => tensor.read() }
    }
  }
  const { since, before } = deaths.state
  out.since = { dtype: 'U32', shape: [since.length], data: since }
  out.before = { dtype: 'U32', shape: [before.length], data: before }
  return out
}
