// What a measurement is: a case has a name and a shape, and gives one row for each peer that it was raced against.
import type { Device } from '../lib/tensor/device.ts'
import type { Limits, Work } from './limits.ts'
import type { Peers } from './peer.ts'

/** A line of the table and of the JSON. Times are the least of all rounds. */
export interface Row {
  readonly name: string
  readonly shape: string
  /** Ours; null where only a peer can do it. */
  readonly milliseconds: number | null
  /** Who else; null where there is none, or TRANSWELD_PEER_PYTHON is not set. */
  readonly peer: string | null
  readonly peerMilliseconds: number | null
  /** milliseconds / peerMilliseconds: below 1 we are faster. */
  readonly ratio: number | null
  /** Operations / measured rate + bytes / measured bandwidth, both of this run. */
  readonly floorMilliseconds: number | null
  /** What else was measured, by name. */
  readonly figures?: Readonly<Record<string, number>>
}

/** What a case measured, before the limits of the whole run are known. */
export interface Measured {
  readonly milliseconds: number | null
  readonly peers?: readonly { readonly name: string, readonly milliseconds: number }[]
  readonly work?: Work
  readonly figures?: Readonly<Record<string, number>>
}

/** What a case has to work with. */
export interface Bench { readonly device: Device, readonly peers: Peers | undefined, readonly limits: Limits }

/** One measurement, not made yet. */
export interface Case { readonly name: string, readonly shape: string, measure(bench: Bench): Promise<Measured> }

/** The rows of a case, once the limits are known. */
export function rowsOf({ name, shape }: Case, measured: Measured, limits: Limits): Row[] {
  const { milliseconds, work, figures, peers = [] } = measured
  if (milliseconds === null && peers.length === 0 && !figures) return []         // this device has no such mode
  const floorMilliseconds = work ? limits.floor(work) : null
  return (peers.length > 0 ? peers : [undefined]).map(peer => ({
    name, shape, milliseconds, peer: peer?.name ?? null, peerMilliseconds: peer?.milliseconds ?? null,
    ratio: peer && milliseconds !== null ? milliseconds / peer.milliseconds : null, floorMilliseconds, ...(figures && { figures }),
  }))
}
