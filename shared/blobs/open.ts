import { join } from 'node:path';
import type { SharedEnvironment } from '../config.ts';
import { type BlobStore, scoped } from './blob-store.ts';
import { folderBlobStore } from './folder.ts';

/**
 * The store that the environment names, limited to the keys of one Runlet. S3 if RUNLET_S3_ENDPOINT is set; otherwise a folder,
 * which gateway and workers must share.
 */
export async function openBlobStore(env: SharedEnvironment, instance: string): Promise<BlobStore> {
  const { RUNLET_S3_ENDPOINT: endpoint, RUNLET_S3_BUCKET: bucket } = env;
  if (endpoint === undefined)
    return scoped(folderBlobStore(join(env.RUNLET_DATA_DIR, 'artifacts')), instance);
  const { RUNLET_S3_ACCESS_KEY_ID: accessKeyId, RUNLET_S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (bucket === undefined || accessKeyId === undefined || secretAccessKey === undefined)
    throw new Error(
      'RUNLET_S3_ENDPOINT needs RUNLET_S3_BUCKET, RUNLET_S3_ACCESS_KEY_ID and RUNLET_S3_SECRET_ACCESS_KEY beside it.',
    );
  const { s3BlobStore } = await import('./s3.ts');
  return scoped(
    s3BlobStore({
      endpoint: `${endpoint.replace(/\/+$/, '')}/${bucket}`,
      region: env.RUNLET_S3_REGION,
      accessKeyId,
      secretAccessKey,
    }),
    instance,
  );
}
