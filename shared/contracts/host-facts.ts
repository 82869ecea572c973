import { z } from 'zod';

const count = z.number().nullable();

/**
 * Settings of the kernel of a worker's machine that matter for the sandboxes on it. `null`: the kernel does not tell this
 * setting.
 */
export const hostFacts = z
  .object({
    conntrackMax: count.meta({
      description: 'nf_conntrack_max: connections that the machine keeps track of; full, nobody opens one.',
    }),
    corePattern: z
      .string()
      .nullable()
      .meta({ description: 'kernel.core_pattern. With `|` first: a program of the host is called.' }),
    userNamespaces: z
      .enum(['everybody', 'restricted', 'none'])
      .nullable()
      .meta({ description: 'Who may make user namespaces on the machine. Programs in sandboxes never may.' }),
    swap: z
      .enum(['none', 'counted', 'not_counted'])
      .nullable()
      .meta({ description: 'Whether what is swapped out counts as memory of a run.' }),
    pidMax: count.meta({ description: 'kernel.pid_max: processes and threads of the whole machine.' }),
    ptyMax: count.meta({ description: 'kernel.pty.max: terminals of the whole machine.' }),
    sentDataReturned: z.boolean().nullable().meta({
      description:
        'net.core.tstamp_allow_data: a program that asks when its data were sent gets them back. Before Linux 6.13 it is one for all sandboxes.',
    }),
    kernelLogRestricted: z.boolean().nullable().meta({ description: 'kernel.dmesg_restrict.' }),
    firewall: z.object({
      problem: z
        .string()
        .nullable()
        .meta({ description: 'Why it cannot stand: services and egress are refused then.' }),
      connections: count.meta({
        description: 'What one run or service with egress may have at once; `null`: no bound.',
      }),
      localUsersKeptOut: z.boolean().meta({
        description: 'Whether other users of the machine are kept from services’ containers.',
      }),
    }),
  })
  .meta({ id: 'HostFacts' });

export type HostFacts = z.infer<typeof hostFacts>;
