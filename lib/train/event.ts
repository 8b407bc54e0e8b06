// What training tells: plain data, the JSON lines of `transweld train --json`.

/** One layer's figures in a step. */
export interface LayerStep {
  readonly layer: number
  /** The loss that was differentiated, auxiliary terms included. */
  readonly loss: number
  /** Fraction of variance unexplained of this batch (ȳ is the batch mean). */
  readonly fvu: number
  /** Mean count of active features a row. */
  readonly l0: number
  /** Share of features that count as dead now. */
  readonly dead: number
  /** Mean number of candidates a row that the screen left to the exact product; 0 where no screen was used. */
  readonly candidates: number
}

/** Told after each step of training. */
export interface StepEvent {
  readonly event: 'step'
  /** Steps done, counted from 1. */
  readonly step: number
  /** Rows (token positions) seen since the run began, over resumes. */
  readonly tokens: number
  /** Rows a second over the last second or so. */
  readonly tokensPerSecond: number
  readonly layers: readonly LayerStep[]
}

/** Told when a checkpoint folder is complete on disk. */
export interface CheckpointEvent { readonly event: 'checkpoint', readonly step: number, readonly tokens: number, readonly path: string }

/** Told once, last: the transcoders are written. */
export interface DoneEvent { readonly event: 'done', readonly step: number, readonly tokens: number, readonly seconds: number, readonly path: string }

/** What a training run yields. */
export type TrainEvent = StepEvent | CheckpointEvent | DoneEvent
