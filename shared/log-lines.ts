import { pino } from 'pino';

/** A line is written at once if none was written for so long; otherwise it waits for the others of this time. */
const gatherMs = 100;
/** With more than this the lines are written at once (SonicBoom allows less than its largest write, 16 KiB). */
const maxGatheredBytes = 12 * 1024;
const warn = pino.levels.values.warn as number;

/**
 * Lines for stdout, of which those that come close together are written together: a write for each line cost the gateway a tenth of its
 * CPU time under load, and whoever reads the lines as much. Warnings and errors are written at once, with all before them. What is lost
 * with a process that is killed is what it said in its last moment, below a warning.
 */
function gatheredLines() {
  const stdout = pino.destination({ dest: 1, sync: true, minLength: maxGatheredBytes });
  let timer: NodeJS.Timeout | undefined;
  let writtenAt = Number.NEGATIVE_INFINITY;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    writtenAt = performance.now();
    stdout.flushSync();
  };
  process.on('exit', flush);
  return {
    // pino sets `lastLevel` to the level of each line before it writes the line.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string): void {
      stdout.write(line);
      const waited = performance.now() - writtenAt;
      if (this.lastLevel >= warn || waited >= gatherMs) flush();
      else timer ??= setTimeout(flush, gatherMs - waited).unref();
    },
  };
}

let shared: ReturnType<typeof gatheredLines> | undefined;

/** The one stdout of this process, for all its logs. */
export function stdoutLines(): pino.DestinationStream {
  shared ??= gatheredLines();
  return shared;
}
