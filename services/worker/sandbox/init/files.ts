import { FileTooLarge, StartFailed } from './errors.ts';
import type { Exchange, Handler } from './exchange.ts';
import { frame, ProtocolViolation, u32 } from './frames.ts';

export type Listing = {
  files: { path: string; sizeBytes: number; mode: number }[];
  /** Files whose path is not UTF-8, so nobody could ask for them: the path as decoded, and its bytes. */
  unnamed: { path: string; bytes: Buffer }[];
  truncated: boolean;
};

/** Access to the files in a sandbox, between steps. */
export function createFiles(exchange: Exchange) {
  return {
    /** The regular files below the work folder, at most `max` of them (folders count too). */
    list(max: number): Promise<Listing> {
      return new Promise((resolve, reject) => {
        const files: Listing['files'] = [];
        const unnamed: Listing['unnamed'] = [];
        let entries = 0;
        const handler: Handler = {
          onLost: reject,
          onFrame(one) {
            if (one.type === 'taken') return;
            if (one.type === 'entry' && entries < max) {
              entries += 1;
              const { path, bytes, sizeBytes, mode } = one;
              if (!isPlainPath(path)) return;
              if (bytes === null) files.push({ path, sizeBytes, mode });
              else unnamed.push({ path, bytes });
              return;
            }
            if (one.type !== 'list_end') throw new ProtocolViolation(`${one.type} in a list`);
            exchange.done(handler);
            const failed = exchange.takeFailure();
            if (failed === undefined) resolve({ files, unnamed, truncated: one.truncated });
            else reject(failed);
          },
        };
        exchange.begin(handler);
        exchange.send(frame('L', u32(max)));
      });
    },

    /**
     * A file's bytes, read no faster than the caller takes them. Rejects with StartFailed when the file cannot be read.
     * Rejects with FileTooLarge when it has more than `max`; then the session is over.
     */
    async *read(path: string, max = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
      let left: number | undefined;
      const queue: Buffer[] = [];
      let error: Error | undefined;
      /** An earlier WORKDIR or FILE failed, so this is not the file that was meant. */
      let failed: StartFailed | undefined;
      let news = Promise.withResolvers<void>();
      let taken = Promise.withResolvers<void>();
      const handler: Handler = {
        onLost(why) {
          error = why;
          news.resolve();
        },
        onFrame(one) {
          if (one.type === 'taken') return;
          if (one.type === 'failed') {
            exchange.done(handler);
            error = failed ?? exchange.takeFailure() ?? new StartFailed(one.what, one.errno, one.text);
          } else if (one.type === 'content' && left === undefined) {
            left = one.sizeBytes;
            failed = exchange.takeFailure();
            if (left > max) error = failed ?? new FileTooLarge(left);
          } else if (one.type === 'data' && left !== undefined && one.data.length <= left) {
            left -= one.data.length;
            if (failed === undefined && error === undefined) queue.push(one.data);
          } else throw new ProtocolViolation(`${one.type} in a file’s content`);
          if (left === 0) {
            exchange.done(handler);
            error ??= failed;
          }
          news.resolve();
          if (queue.length === 0) return;
          taken = Promise.withResolvers();
          return taken.promise;
        },
      };
      exchange.begin(handler);
      exchange.send(frame('G', Buffer.from(path)));
      try {
        for (;;) {
          await news.promise;
          news = Promise.withResolvers();
          for (const data of queue.splice(0)) yield data;
          taken.resolve();
          if (error !== undefined) throw error;
          if (left === 0) return;
        }
      } finally {
        // The caller stopped before the end. The rest of the file would be taken for another answer, so the session
        // ends.
        taken.resolve();
        if (exchange.isWaiting(handler)) exchange.lose('a file was not read to its end');
      }
    },

    /** Removes a file or a link (not the link's target), but no folder. Rejects with StartFailed. */
    unlink(path: string): Promise<void> {
      return new Promise((resolve, reject) => {
        const handler: Handler = {
          onLost: reject,
          onFrame(one) {
            if (one.type === 'taken') return;
            if (one.type !== 'unlinked' && one.type !== 'failed')
              throw new ProtocolViolation(`${one.type} in answer to an unlink`);
            exchange.done(handler);
            const failed =
              exchange.takeFailure() ??
              (one.type === 'failed' ? new StartFailed(one.what, one.errno, one.text) : undefined);
            if (failed === undefined) resolve();
            else reject(failed);
          },
        };
        exchange.begin(handler);
        exchange.send(frame('U', Buffer.from(path)));
      });
    },
  };
}

/** A relative path without empty parts, `.` or `..`. */
function isPlainPath(path: string): boolean {
  return (
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !path.includes('\0')
  );
}
