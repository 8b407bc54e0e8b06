// From a native failure to the one error class.
import { type ErrorCode, TransweldError } from './error.ts'

/** Statuses of src/status.h, and the binding's own below zero (src/bind/failure.h). */
const CODES: Readonly<Record<number, ErrorCode>> = {
  [-6]: 'ERR_NOT_FINITE', [-5]: 'ERR_FORMAT', [-4]: 'ERR_FILE', [-3]: 'ERR_ABI', [-2]: 'ERR_DEVICE_MISMATCH', [-1]: 'ERR_DISPOSED',
  1: 'ERR_INVALID_ARGUMENT', 2: 'ERR_SHAPE_MISMATCH', 3: 'ERR_OUT_OF_MEMORY', 4: 'ERR_UNSUPPORTED',
  5: 'ERR_DEVICE_MISSING', 6: 'ERR_DEVICE_LOST', 7: 'ERR_ABORTED', 8: 'ERR_INTERNAL',
}

/** What a native call threw or rejected with, as a TransweldError; other errors pass unchanged. */
export function fault(error: unknown): unknown {
  const status = (error as { status?: unknown } | null)?.status
  if (!(error instanceof Error) || typeof status !== 'number') return error
  return new TransweldError(CODES[status] ?? 'ERR_INTERNAL', error.message, { cause: error })
}
