import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';
import type { S3Settings } from '../../shared/blobs/s3.ts';

/** An S3 server from another project, with one empty bucket. It knows its keys, but does not check signatures of version 4. */
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
