import { runRequestSchema } from '../../shared/contracts/run-request.ts';

const most = 1_000_000_000;

/** Requests as accepted by a gateway whose operator allows nearly everything. */
export const runRequest = runRequestSchema({
  limits: { timeoutMs: most, memoryBytes: most, cpus: 8, pids: 100, outputBytes: most, diskBytes: most },
  allowWritable: true,
  allowEgress: true,
  registries: [],
});
