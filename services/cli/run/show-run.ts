import type { ExitEvent } from '../../../shared/contracts/events.ts';
import type { PullView } from '../output/pull-view.ts';
import type { Sink } from '../output/sink.ts';
import { outputBytes, type RunEvent } from './follow.ts';

export type Screen = {
  /** Where the program's output goes. Without it the output is dropped. */
  out?: Sink;
  err?: Sink;
  pull: PullView;
  note: (text: string) => void;
  /** Called once, when a reader of the output has left. */
  onClosed?: () => void;
};

/** Shows a run's events as they come. Returns the end event, or `undefined` if the events stopped before it. */
export async function showRun(
  events: AsyncIterable<RunEvent>,
  screen: Screen,
): Promise<ExitEvent | undefined> {
  let attempt = 0;
  let closedTold = false;
  let step: string | undefined;
  try {
    for await (const event of events) {
      if (event.type !== 'pull') await screen.pull.stop();
      switch (event.type) {
        case 'status':
          if (attempt > 0 && event.data.attempt > attempt)
            screen.note(
              `Attempt ${attempt} was lost with its worker; the output of attempt ${event.data.attempt} starts anew.`,
            );
          attempt = Math.max(attempt, event.data.attempt);
          break;
        case 'pull':
          await screen.pull.show(event.data);
          break;
        case 'stdout':
        case 'stderr':
          if (event.data.step !== step) {
            step = event.data.step;
            // If there are several inputs, the note says whose output follows. In a pipe the output stays unchanged.
            if (step?.startsWith('run[')) screen.note(`${step}:`);
          }
          // The compiler's output is never shown as the program's output.
          await (event.type === 'stdout' && step !== 'compile' ? screen.out : screen.err)?.write(
            outputBytes(event.data),
          );
          break;
        case 'exit':
          return event.data;
      }
      if (screen.out?.closed && !closedTold) {
        closedTold = true;
        screen.onClosed?.();
      }
    }
    return undefined;
  } finally {
    await screen.pull.stop();
  }
}
