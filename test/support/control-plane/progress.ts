/** A moment of a long piece of work. The last one of a piece is `final`, so that the line can be ended. */
export interface ProgressStep {
  readonly stage: string;
  readonly detail?: string;
  /** How much of the stage is done, 0 to 1, where that is known. */
  readonly fraction?: number;
  readonly final?: boolean;
}

/** Where a long piece of work tells how far it is. */
export type Progress = (step: ProgressStep) => void;

/** What {@link terminalProgress} needs of a stream; `process.stderr` has it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Shows progress as one moving line on a terminal, and elsewhere as a line for every stage and every ten percent. */
export function terminalProgress(stream: ProgressStream = process.stderr): Progress {
  return stream.isTTY === true ? movingLine(stream) : fewLines(stream);
}

function movingLine(stream: ProgressStream): Progress {
  let started = performance.now();
  let current: ProgressStep | undefined;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    if (current === undefined) return;
    // A line wider than the terminal wraps, and the return to its start would then leave its first row behind. Some
    // terminals say that they have 0 columns.
    const text = line(current, started).slice(0, (stream.columns || 80) - 1);
    stream.write(`\r\x1b[2K${text}${current.final === true ? '\n' : ''}`);
  };
  return (step) => {
    if (current === undefined) {
      started = performance.now();
      // The clock goes on while one big package is compiled or linked, which tells no step for half a minute.
      timer = setInterval(draw, 1000).unref();
    }
    current = step;
    draw();
    if (step.final === true) {
      clearInterval(timer);
      current = undefined;
    }
  };
}

function fewLines(stream: ProgressStream): Progress {
  let started: number | undefined;
  let stage = '';
  let tenth = 0;
  return (step) => {
    started ??= performance.now();
    const reached = Math.floor((step.fraction ?? 0) * 10);
    if (step.stage !== stage || reached > tenth || step.final === true) stream.write(`${line(step, started)}\n`);
    stage = step.stage;
    tenth = reached;
    if (step.final === true) {
      started = undefined;
      stage = '';
    }
  };
}

function line(step: ProgressStep, started: number): string {
  const seconds = Math.round((performance.now() - started) / 1000);
  const parts = [step.stage];
  if (step.detail !== undefined) parts.push(step.detail);
  if (step.fraction !== undefined) parts.push(`${Math.floor(step.fraction * 100)} %`);
  parts.push(seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`);
  return parts.join('  ');
}
