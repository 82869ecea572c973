import { Readable } from 'node:stream';
import { artifactKey } from '../../../shared/blobs/blob-store.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { problemAnswer } from '../http/answers.ts';
import { holds } from '../http/conditional.ts';
import { type App, mount } from '../http/mount.ts';
import { rangeCounts, wantedRange } from '../http/range.ts';
import { artifactDocument } from './documents.ts';
import { type LoadParts, ownRecord } from './load.ts';

export type ArtifactParts = Pick<Gateway, 'blobs'> & LoadParts;

export function mountArtifacts(app: App, gateway: ArtifactParts): void {
  mount(
    app,
    { maxBodyBytes: 0 },
    { method: 'get', path: '/v1/runs/{id}/artifacts/{path}', rest: 'path', document: artifactDocument },
    async (c) => {
      const { head, attempt, state } = await ownRecord(
        gateway,
        c.var.identity.tenant,
        c.req.param('id') ?? '',
      );
      const path = c.req.param('path') ?? '';
      const index = state.artifacts.findIndex((one) => one.path === path);
      const artifact = state.artifacts[index];
      if (artifact === undefined)
        throw new Problem('not_found', `The run ${head.id} has no such artifact: see its \`artifacts\`.`);
      const etag = `"${artifact.sha256}"`;
      // An artifact never changes, but it may be forgotten: clients that have it must ask again.
      const headers = { etag, 'cache-control': 'private, no-cache', 'accept-ranges': 'bytes' };
      if (holds(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers });
      const size = artifact.sizeBytes;
      // RFC 9110 §14.2: only of a GET.
      const asks = c.req.method === 'GET' && rangeCounts(c.req.header('if-range'), etag);
      const range = asks ? wantedRange(c.req.header('range'), size) : undefined;
      if (range === 'outside')
        return problemAnswer(
          new Problem(
            'range_not_satisfiable',
            `The artifact has ${size} bytes: ask for some of them, as in \`Range: bytes=0-99\`, or leave the field out.`,
          ),
          { ...headers, 'content-range': `bytes */${size}` },
        );
      const bytes = await gateway.blobs.get(artifactKey(head.tenant, head.id, attempt, index), range);
      if (bytes === undefined)
        throw new Problem(
          'not_found',
          'The artifact’s bytes are no longer there: run it again to have them.',
        );
      // A HEAD asks whether it is there, and takes none of it.
      if (c.req.method === 'HEAD') bytes.destroy();
      return new Response(bytes.destroyed ? null : (Readable.toWeb(bytes) as ReadableStream), {
        status: range === undefined ? 200 : 206,
        headers: {
          ...headers,
          'content-type': 'application/octet-stream',
          'content-length': String(range === undefined ? size : range.to - range.from + 1),
          ...(range !== undefined && { 'content-range': `bytes ${range.from}-${range.to}/${size}` }),
          'content-disposition': attachment(path.slice(path.lastIndexOf('/') + 1)),
        },
      });
    },
  );
}

/** RFC 6266 with both spellings of the name: one in ASCII for old clients, one in UTF-8 (RFC 8187). */
export function attachment(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const whole = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${whole}`;
}
