import { Problem } from '../../../../../shared/problems.ts';
import type { Engine } from '../../../engine/engine.ts';
import type { VolumeSpec } from '../../../engine/volumes.ts';

/** Several workers of one engine may be at it together: one of them removes what the other was about to use. */
const tries = 5;

/** A volume of files that is named by its content, made or filled where it is missing or empty. Answers its folder on the engine. */
export async function provideVolume(engine: Engine, spec: VolumeSpec): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await engine.volumes.provide(spec);
    } catch (error) {
      if (attempt >= tries || (error instanceof Problem && error.code === 'engine_unavailable')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
    }
  }
}
