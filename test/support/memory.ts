import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes in buffers that this process still uses. */
export function liveBuffers(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** Bytes of buffers and of the heap that this process still uses. */
export function liveMemory(): number {
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}
