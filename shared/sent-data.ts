/**
 * True if this kernel (`6.18.44-…`) has its own `net.core.tstamp_allow_data` in each network namespace: Linux 6.13 or later. On
 * older kernels there is one setting for the whole machine.
 */
export function hasSentDataSettingEach(kernel: string): boolean {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(kernel) ?? []).map(Number);
  return major > 6 || (major === 6 && minor >= 13);
}
