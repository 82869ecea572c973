import { hasSentDataSettingEach } from '../../../../shared/sent-data.ts';

/**
 * Settings of a container's own network namespace. With `tstamp_allow_data` a program that asks when its data were sent is sent them
 * back, into a queue that nothing counts: 930 MiB for a run of 64. Linux has that one for each namespace from 6.13 on, and the runtime
 * starts no container with a setting that is not there; before that it is the machine's, and its operator's. Pure.
 */
export function networkSysctls(kernel: string): Record<string, string> {
  return hasSentDataSettingEach(kernel) ? { 'net.core.tstamp_allow_data': '0' } : {};
}
