import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../../../shared/problems.ts';
import type { VolumeSpec, Volumes } from '../../../engine/volumes.ts';

/**
 * Several workers of one engine may do this at once. Then one may remove what another was about to use, so it is tried
 * again.
 */
const tries = 5;

/**
 * A volume of files that is named by its content. Made or filled where it is missing or empty. Returns its folder on
 * the engine.
 */
export async function provideVolume(volumes: Volumes, spec: VolumeSpec): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await volumes.provide(spec);
    } catch (error) {
      if (attempt >= tries || (error instanceof Problem && error.code === 'engine_unavailable')) throw error;
      await sleep(50 * attempt);
    }
  }
}
