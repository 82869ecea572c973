import type { PullEvent } from '../../../shared/contracts/events.ts';
import { formatBytes } from './format.ts';
import { printable } from './harmless.ts';
import type { PullView } from './pull-view.ts';
import type { Sink } from './sink.ts';

/** For logs: for each worker one line at the start, one at each quarter and one at the end. */
export class PullLines implements PullView {
  readonly #sink: Sink;
  readonly #quarters = new Map<string, number>();
  readonly #done = new Set<string>();

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async show(picture: PullEvent, worker?: string): Promise<void> {
    const name = printable(worker === undefined ? picture.reference : `${picture.reference} (${worker})`);
    if (this.#done.has(name)) return;
    const before = this.#quarters.get(name);
    if (before === undefined) {
      this.#quarters.set(name, 0);
      await this.#sink.line(`Pulling ${name}`);
    }
    if (picture.status === 'done') {
      this.#done.add(name);
      await this.#sink.line(`Pulled ${name}`);
      return;
    }
    const current = sum(picture.layers.map((layer) => layer.currentBytes));
    const total = sum(picture.layers.map((layer) => layer.totalBytes));
    const quarter = total > 0 ? Math.min(3, Math.floor((current / total) * 4)) : 0;
    if (quarter > (before ?? 0)) {
      this.#quarters.set(name, quarter);
      await this.#sink.line(`Pulling ${name}: ${formatBytes(current)} of ${formatBytes(total)}`);
    }
  }

  async stop(): Promise<void> {}
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
