import { hasSentDataSettingEach } from '../../../shared/sent-data.ts';

/**
 * Settings of a container's own network namespace. With `tstamp_allow_data` a program that asks for the send times of its data gets the
 * data back, in a queue that no limit counts: 930 MiB were seen in a run of 64 MiB. Linux has this setting for each namespace since 6.13,
 * and a runtime starts no container with a setting that does not exist. Before that it is one for the whole machine, set by its operator.
 * Pure.
 */
export function networkSysctls(kernel: string): Record<string, string> {
  return hasSentDataSettingEach(kernel) ? { 'net.core.tstamp_allow_data': '0' } : {};
}

const MiB = 1024 * 1024;

/** The limit of cgroup v1 for sockets' buffers, beside the memory limit: a quarter of that, and what a few connections need to be fast. */
export const socketBytesFor = (memoryBytes: number) => Math.max(8 * MiB, Math.floor(memoryBytes / 4));
