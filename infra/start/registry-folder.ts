import { join } from 'node:path';
import type { RegistryFolder } from '../parts/registry.ts';
import type { Say } from '../parts/say.ts';

/** Where the embedded registry of a data folder keeps its images. */
export const registryFolder = (dataDir: string, say: Say): RegistryFolder => ({
  folder: join(dataDir, 'registry'),
  logFile: join(dataDir, 'logs/registry.log'),
  say,
});
