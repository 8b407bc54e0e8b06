// One op at one shape as a row of the bench, beside its counterpart where there is one.
import { ours, race } from './clock.ts'
import { Stock } from './data.ts'
import type { Work } from './limits.ts'
import type { Case } from './row.ts'
import { words } from './shapes.ts'

/** A call on tensors of a stock. `peer`: a job of bench/peers, which takes the shape. Undefined: not on this device. */
export interface Op { readonly call: () => void, readonly work: Work, readonly peer?: string }

export function op(name: string, shape: Readonly<Record<string, number>>, make: (stock: Stock) => Op | undefined): Case {
  return {
    name, shape: words(shape),
    async measure({ device, peers }) {
      using stock = new Stock(device)
      const made = make(stock)
      if (!made) return { milliseconds: null }
      const peer = made.peer === undefined ? undefined : await peers?.make(made.peer, shape)
      const [milliseconds, theirs] = await race([await ours(device, made.call), ...(peer ? [peer.run] : [])])
      return { milliseconds: milliseconds!, peers: peer ? [{ name: peer.name, milliseconds: theirs! }] : [], work: made.work }
    },
  }
}
