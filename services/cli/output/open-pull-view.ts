import type { PullView } from './pull-view.ts';
import type { Sink } from './sink.ts';

const silent: PullView = { show: async () => {}, stop: async () => {} };

/**
 * Bars on a terminal, a few plain lines in a log, nothing with `--quiet`. The code is loaded only when there is
 * something to show.
 */
export function openPullView(sink: Sink, { quiet, json }: { quiet: boolean; json: boolean }): PullView {
  if (quiet || (json && !sink.isTTY)) return silent;
  let view: PullView | undefined;
  const load = async (): Promise<PullView> => {
    if (sink.isTTY) return new (await import('./pull-bars.ts')).PullBars(sink);
    return new (await import('./pull-lines.ts')).PullLines(sink);
  };
  return {
    show: async (picture, worker) => {
      view ??= await load();
      await view.show(picture, worker);
    },
    stop: async () => {
      await view?.stop();
      view = undefined;
    },
  };
}
