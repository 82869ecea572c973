import cliProgress from 'cli-progress';
import type { PullEvent, PullLayer } from '../../../shared/contracts/events.ts';
import { formatBytes } from './format.ts';
import { printable } from './harmless.ts';
import type { PullView } from './pull-view.ts';
import type { Sink } from './sink.ts';

type BarFacts = { name: string; status: PullLayer['status'] };
type Line = { key: string; name: string; status: PullLayer['status']; current: number; total: number };

const barWidth = 24;

/** One bar for each layer. If there are more layers than the terminal has lines, one bar for the whole image. */
export class PullBars implements PullView {
  readonly #sink: Sink;
  readonly #bars = new Map<string, cliProgress.SingleBar>();
  #multi: cliProgress.MultiBar | undefined;
  #asOne = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async show(picture: PullEvent, worker?: string): Promise<void> {
    this.#multi ??= await this.#start(picture.reference);
    this.#asOne ||= picture.layers.length + 2 > (this.#sink.stream.rows || 24);
    const prefix = worker === undefined ? '' : `${worker} `;
    const layers = picture.status === 'done' ? picture.layers.map(asDone) : picture.layers;
    const lines = this.#asOne
      ? [whole({ ...picture, layers }, prefix)]
      : layers.map((layer) => one(layer, prefix));
    for (const line of lines) this.#draw(this.#multi, line);
  }

  async stop(): Promise<void> {
    this.#multi?.update();
    this.#multi?.stop();
    this.#multi = undefined;
    this.#bars.clear();
  }

  async #start(reference: string): Promise<cliProgress.MultiBar> {
    await this.#sink.line(`Pulling ${printable(reference)}`);
    return new cliProgress.MultiBar({
      stream: this.#sink.stream,
      format: formatBar,
      // The cursor stays visible and we handle signals ourselves. So the terminal is fine even if a second Ctrl-C ends
      // us at once.
      hideCursor: null,
      gracefulExit: false,
      emptyOnZero: true,
      // Lines are cut to the terminal's width, so the terminal's wrapping need not be switched off.
      linewrap: true,
    });
  }

  #draw(multi: cliProgress.MultiBar, line: Line): void {
    const facts: BarFacts = { name: line.name, status: line.status };
    // If the total is unknown, the bar stays empty until the layer is done.
    const total = Math.max(line.total, 1);
    const current = line.status === 'done' ? total : Math.min(line.current, total);
    const bar = this.#bars.get(line.key);
    if (bar === undefined) {
      this.#bars.set(line.key, multi.create(total, current, facts));
      return;
    }
    bar.setTotal(total);
    bar.update(current, facts);
  }
}

const asDone = (layer: PullLayer): PullLayer => ({
  ...layer,
  status: 'done',
  currentBytes: layer.totalBytes,
});

function one(layer: PullLayer, prefix: string): Line {
  const name = printable(`${prefix}${layer.id.replace(/^sha256:/, '').slice(0, 12)}`);
  const { status, currentBytes: current, totalBytes: total } = layer;
  return { key: `${prefix}${layer.id}`, name, status, current, total };
}

function whole(picture: PullEvent, prefix: string): Line {
  const { layers } = picture;
  const done = layers.filter((layer) => layer.status === 'done').length;
  return {
    key: `${prefix}*`,
    name: printable(`${prefix}${done} of ${layers.length} layers`),
    status: picture.status === 'done' ? 'done' : 'downloading',
    current: layers.reduce((sum, layer) => sum + layer.currentBytes, 0),
    total: layers.reduce((sum, layer) => sum + layer.totalBytes, 0),
  };
}

function formatBar(_: cliProgress.Options, params: cliProgress.Params, facts: BarFacts): string {
  const filled = Math.round(Math.min(1, params.total > 0 ? params.value / params.total : 0) * barWidth);
  const bar = `${'='.repeat(filled)}${' '.repeat(barWidth - filled)}`;
  const known = params.total > 1;
  const bytes = known ? `${formatBytes(params.value)} / ${formatBytes(params.total)}` : '';
  return `  ${facts.name.padEnd(12)}  ${facts.status.padEnd(11)} [${bar}] ${bytes}`.trimEnd();
}
