import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3Settings } from '../../shared/blobs/s3.ts';

type Server = { run(): Promise<{ port: number }>; close(): Promise<void> };
// It has no types of its own.
const S3rver = createRequire(import.meta.url)('s3rver') as new (options: Record<string, unknown>) => Server;

/** An S3 server of somebody else's making, which knows its keys (but checks no signature of version 4), with one empty bucket. */
export async function startS3(): Promise<{ settings: S3Settings; bucket: string; stop(): Promise<void> }> {
  const bucket = 'artifacts';
  const directory = mkdtempSync(join(tmpdir(), 'runlet-s3-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: bucket }],
  });
  const { port } = await server.run();
  return {
    bucket,
    settings: {
      endpoint: `http://127.0.0.1:${port}/${bucket}`,
      region: 'us-east-1',
      accessKeyId: 'S3RVER',
      secretAccessKey: 'S3RVER',
    },
    async stop() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
