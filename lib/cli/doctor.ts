// `transweld doctor`: says what was found, in words or as JSON. Exit code 0 if the device that would be used works, else 1.
import type { Command } from 'commander'
import { type DoctorReport, examine } from '../native/doctor.ts'
import { openDevice } from '../tensor/device.ts'
import { type SelfCheck, selfCheck } from '../tensor/selfcheck.ts'

/** What --json prints: the report, and the checks of the device that would be used. */
interface Examined extends DoctorReport {
  readonly works: boolean
  readonly checks: readonly SelfCheck[]
  /** Why the device does not work; empty where it does. */
  readonly fault: string
}

/** Adds the command to the program. */
export function add(program: Command): void {
  program.command('doctor')
    .description('say what was found on this machine, and whether the device that would be used works')
    .option('--json', 'print the report as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const report = examine()
      const examined = { ...report, ...await check(report) }
      process.stdout.write(json ? JSON.stringify(examined, null, 2) + '\n' : words(examined))
      process.exitCode = examined.works ? 0 : 1
    })
}

async function check({ used }: DoctorReport): Promise<Pick<Examined, 'works' | 'checks' | 'fault'>> {
  if ('error' in used) return { works: false, checks: [], fault: used.error }
  try {
    using device = openDevice(used.device)
    const checks = await selfCheck(device)
    const wrong = checks.filter(one => !one.ok).map(one => `${one.op} is off by ${one.error}`)
    return { works: wrong.length === 0, checks, fault: wrong.join(', ') }
  } catch (error) {
    return { works: false, checks: [], fault: error instanceof Error ? error.message : String(error) }
  }
}

function words(report: Examined): string {
  const { node, cpu, addon, cuda } = report
  const lines: [string, string][] = [
    ['transweld', report.version],
    ['node', `${node.version}, N-API ${node.napi}, ${node.platform}-${node.arch}, ${node.libc}`],
    ['addon', 'error' in addon ? `not loaded: ${addon.error}` : `${addon.path} (${addon.why})`],
    ['prebuilds', report.prebuilds.join(', ') || 'none'],
    ['processor', `${cpu.model}, ${cpu.cores} cores, ${cpu.threads} threads`],
    ['features', cpu.features.join(' ') || 'unknown'],
    ['memory', `${gigabytes(report.memory.totalBytes)}, ${gigabytes(report.memory.freeBytes)} free`],
    ...report.notes.map((note): [string, string] => ['note', note]),
    ...report.devices.map((one): [string, string] => ['device', `${one.device}: ${one.name}, ${one.code}, bits ${one.bits}, ${gigabytes(one.memoryBytes)}`]),
    ...cuda.refused.map((one): [string, string] => ['CUDA tried', one.reason.includes(one.path) ? one.reason : `${one.path}: ${one.reason}`]),
    ...(cuda.library ? [['CUDA library', cuda.library] satisfies [string, string]] : []),
    ['CUDA driver', cuda.driver || 'none found'],
    ...cuda.advice.map((line): [string, string] => ['', line]),
    ...Object.entries(report.environment).map(([name, value]): [string, string] => ['environment', `${name}=${value}`]),
    ['checked', report.checks.map(one => `${one.op} ${one.ok ? 'right' : 'WRONG'} (${one.error.toExponential(1)})`).join(', ') || 'nothing'],
    ['verdict', report.works ? `${'device' in report.used ? report.used.device : ''} works` : `does not work: ${report.fault}`],
  ]
  return lines.map(([name, text]) => `${name.padEnd(12)} ${text}`).join('\n') + '\n'
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
