import type { Tool } from './apt.ts';
import type { OciRuntime } from './own-engine.ts';
import { findTool } from './tools.ts';

export const gvisorTool: Tool = { names: ['runsc'], packages: ['runsc'] };

/**
 * gVisor as a runtime of an Engine of our own, under the name that the worker uses for it. None if it is not installed.
 * Its arguments decide which limits work: with `--ignore-cgroups` no limit on memory or CPU does.
 */
export function gvisorRuntime(runtimeArgs: string[]): Record<string, OciRuntime> {
  const path = findTool(...gvisorTool.names);
  return path === undefined ? {} : { runsc: { path, runtimeArgs } };
}
