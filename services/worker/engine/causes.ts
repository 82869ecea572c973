/**
 * What an engine's or a runtime's text means, in our words. The text itself may contain a registry's answer, paths of the machine or
 * addresses, so it goes only to the worker's log.
 */
const causes: [RegExp, string][] = [
  [
    /no quota support/i,
    'a volume of it has a limit that its disk keeps no longer: mount that with project quotas again',
  ],
  [/no space left on device|disk quota exceeded/i, 'its disk is full'],
  [/cannot allocate memory|out of memory|not enough memory/i, 'its machine is short of memory'],
  [
    /resource temporarily unavailable|too many open files|fork\/exec .*no such process/i,
    'its machine is short of processes or open files',
  ],
  [
    /unable to find (?:user|group)|no matching entries in (?:passwd|group)|invalid user/i,
    'the image’s user or group is not in its /etc/passwd or /etc/group',
  ],
  [/seccomp/i, 'it does not take the seccomp profile'],
  [/cgroup/i, 'the cgroups of its machine do not take the limits'],
  [
    /minimum memory limit|range of cpus|less than|must be|invalid|conflicting options|not supported|bad (?:request|parameter)/i,
    'it does not take these settings',
  ],
  [/\bmount/i, 'what the container’s processes need could not be mounted'],
  [/permission denied|operation not permitted|apparmor|selinux/i, 'its machine does not permit it'],
  [/network|endpoint|iptables|address pool|subnet|bridge/i, 'its network could not be set up'],
  [/time(?:d )?\s?out|deadline exceeded|context canceled/i, 'it took too long'],
  [/already in use|in progress|conflict|resource busy/i, 'something else is under way with it'],
];

const untold = 'it gave a reason that is not told here';

/** A sentence's end, after a colon. */
export function causeIn(text: string): string {
  const [, why = untold] = causes.find(([pattern]) => pattern.test(text)) ?? [];
  return `${why}. The worker’s log has the engine’s own words`;
}
