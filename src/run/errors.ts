/** The ends of what the operator does: the reasons with which its lifetime is aborted. */

/** The lease was lost: another replica may hold it, and nothing more may be written. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';

  constructor() {
    super('the lease was lost');
  }
}

/** What was under way when the operator was told to stop did not end in time: it is given up. */
export class StopTimeoutError extends Error {
  override readonly name = 'StopTimeoutError';

  constructor() {
    super('the stop took too long');
  }
}

/** The operator has stopped in order: what still waits for something need not wait any longer. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';

  constructor() {
    super('stopped');
  }
}
