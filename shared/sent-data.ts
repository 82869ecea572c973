/** Whether a kernel (`6.18.44-…`) has `net.core.tstamp_allow_data` for each network namespace: Linux from 6.13 on. Before that it is the machine's. */
export function hasSentDataSettingEach(kernel: string): boolean {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(kernel) ?? []).map(Number);
  return major > 6 || (major === 6 && minor >= 13);
}
