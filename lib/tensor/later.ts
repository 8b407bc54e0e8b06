// Numbers that are on their way while more work is enqueued.

/** Marks a promise that is awaited later: its failure must not count as unhandled until then. */
export function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
