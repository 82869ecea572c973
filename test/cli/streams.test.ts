import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readEvents } from '../../services/cli/http/sse.ts';
import { openPullView } from '../../services/cli/output/open-pull-view.ts';
import { Sink } from '../../services/cli/output/sink.ts';
import { formatTable } from '../../services/cli/output/table.ts';

const url = 'http://test';

/** An answer whose body comes in these pieces, and then stays open. */
function open(pieces: Uint8Array[]): { body: Readable } {
  const left = [...pieces];
  return {
    body: new Readable({
      read() {
        const piece = left.shift();
        if (piece !== undefined) this.push(piece);
      },
    }),
  };
}

describe('server-sent events', () => {
  it('arrive whole however the bytes are cut', async () => {
    const bytes = Buffer.from(
      'id: 1-0\nevent: stdout\ndata: {"data":"grüße €"}\n\n: heartbeat\n\nid: 2-0\ndata: x\n\n',
    );
    for (let size = 1; size < 12; size += 1) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const events = [];
      for await (const event of readEvents(open(pieces), url)) {
        events.push([event.id, event.event, event.data]);
        if (event.id === '2-0') break;
      }
      expect(events).toEqual([
        ['1-0', 'stdout', '{"data":"grüße €"}'],
        ['2-0', undefined, 'x'],
      ]);
    }
  });

  it('say where they are, at a position without an event, too', async () => {
    const ids: string[] = [];
    const pieces = [Buffer.from('id: 0-0\n\nid: 1-0\ndata: x\n\n')];
    for await (const { id } of readEvents(open(pieces), url, { onId: (one) => ids.push(one) })) {
      expect([id, ...ids]).toEqual(['1-0', '0-0', '1-0']);
      return;
    }
  });

  it('that stop coming are a lost connection', async () => {
    const read = async () => {
      for await (const _ of readEvents(open([Buffer.from(': heartbeat\n\n')]), url, { silenceMs: 30 }));
    };
    await expect(read()).rejects.toThrow('went silent');
  });
});

class Terminal extends Writable {
  text = '';
  readonly columns: number;
  readonly rows: number;
  readonly isTTY: boolean;
  constructor({ isTTY = true, rows = 24, columns = 80 }) {
    super();
    this.isTTY = isTTY;
    this.rows = rows;
    this.columns = columns;
  }
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

const layer = (id: string, status: 'waiting' | 'downloading' | 'done', currentBytes: number) => ({
  id: `sha256:${id}${'0'.repeat(60)}`,
  status,
  currentBytes,
  totalBytes: 2_097_152,
});
const picture = (...layers: ReturnType<typeof layer>[]) => ({
  reference: 'busybox:latest',
  status: 'pulling' as const,
  layers,
});

describe('pull progress on a terminal', () => {
  it('has a bar for each layer, and leaves the terminal as it was', async () => {
    const terminal = new Terminal({});
    const view = openPullView(new Sink(terminal), { quiet: false, json: false });
    await view.show(picture(layer('aaaa', 'downloading', 1_048_576), layer('bbbb', 'waiting', 0)));
    await view.show(picture(layer('aaaa', 'done', 2_097_152), layer('bbbb', 'downloading', 524_288)));
    await view.stop();
    expect(terminal.text).toContain('Pulling busybox:latest\n');
    expect(terminal.text).toMatch(/aaaa00000000 {2}done +\[={24}\] 2\.0 MiB \/ 2\.0 MiB/);
    expect(terminal.text).toMatch(/bbbb00000000 {2}downloading +\[={6} {18}\] 512 KiB \/ 2\.0 MiB/);
    // Neither the cursor hidden nor wrapping switched off: leaving at once must leave nothing to repair.
    expect(terminal.text).not.toContain('\u001b[?');
    expect(terminal.text.endsWith('\n')).toBe(true);
  });

  it('is one bar where the layers do not fit', async () => {
    const terminal = new Terminal({ rows: 5 });
    const view = openPullView(new Sink(terminal), { quiet: false, json: false });
    await view.show(picture(...['a', 'b', 'c', 'd'].map((id) => layer(id, 'downloading', 1_048_576))));
    await view.stop();
    expect(terminal.text).toContain('0 of 4 layers');
    expect(terminal.text).toContain('4.0 MiB / 8.0 MiB');
  });

  it('is nothing with --quiet, and nothing beside JSON in a log', async () => {
    for (const [isTTY, quiet, json] of [
      [true, true, false],
      [false, false, true],
    ] as const) {
      const terminal = new Terminal({ isTTY });
      const view = openPullView(new Sink(terminal), { quiet, json });
      await view.show(picture(layer('aaaa', 'downloading', 1)));
      await view.stop();
      expect(terminal.text).toBe('');
    }
  });
});

describe('tables', () => {
  it('align, and let no name move the cursor', () => {
    expect(
      formatTable(
        ['A', 'LONG'],
        [
          ['x\u001b[2Jy', '1'],
          ['wide one', ''],
        ],
      ),
    ).toBe('A         LONG\nx[2Jy     1\nwide one');
  });
});

describe('a sink', () => {
  it('survives a reader that went away', async () => {
    const broken = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
    });
    const sink = new Sink(broken);
    await sink.write('x');
    expect(sink.failure?.code).toBe('EPIPE');
    await sink.write('y');
    await sink.flush();
    expect(sink.closed).toBe(true);
  });
});
