import { Problem } from '../../../shared/problems.ts';
import { serviceUrl } from '../../../shared/stores/service-present.ts';
import type { Gateway } from '../gateway.ts';
import { trustedProxies } from '../trusted-proxies.ts';
import { type Access, type Pass, refusal } from './access/access.ts';
import { tokenInQuery } from './access/credentials.ts';
import { ofHost } from './by-name.ts';
import { confine } from './by-path.ts';
import type { Caller } from './clients/caller.ts';
import type { Pool } from './http1/pool.ts';
import type { Known, KnownServices } from './known-services.ts';
import { after } from './maybe-async.ts';
import { requestHead } from './request-head.ts';
import { askedFor, type Target } from './target.ts';
import type { AwaitReady, Waiting } from './wake.ts';

export type EntranceParts = Pick<Gateway, 'env'>;

export type Wanted = Pick<Caller, 'method' | 'host' | 'fields' | 'address'> & { target: Target };

/** The service that a request is for, and how the request may go on. */
export type Admitted = { known: Known; pass: Pass };

/** The head that the container is sent, and what is changed in its answer. */
export type Prepared = {
  head: string;
  changeFields: (fields: readonly string[]) => readonly string[];
  hold: Pass['hold'];
};

/** The steps of a request before its container: find the service, check access, wait until it is ready. In steady use none of them waits. */
export function createEntrance(parts: {
  gateway: EntranceParts;
  services: KnownServices;
  access: Access;
  awaitReady: AwaitReady;
}) {
  const { gateway, services, access, awaitReady } = parts;
  const trusts = trustedProxies(gateway.env.RUNLET_TRUSTED_PROXIES);
  const proto = new URL(gateway.env.RUNLET_PUBLIC_URL).protocol.slice(0, -1);

  return {
    proto,

    /**
     * Throws the problem that is to be answered. Whoever is refused has the store asked for the service, also where it is known: how long
     * the answer takes tells no more than the answer does.
     */
    enter({ method, host, fields, target }: Wanted): Admitted | Promise<Admitted> {
      const request = { method, host, target: target.path, fields };
      return after(access.whose(fields), (identity) => {
        if (target.kind !== 'name' && target.kind !== 'path')
          throw refusal(identity, request, askedFor(target));
        const known = services.known(target);
        return after(access.admit(known?.record.head, request, identity), (pass) => {
          if (known !== undefined && pass !== undefined) return admitted(known, pass);
          return services.read(target).then(async (record) => {
            const passes = await access.admit(record?.head, request, identity);
            if (record === undefined || passes === undefined)
              throw refusal(identity, request, askedFor(target));
            return admitted(services.know(record), passes);
          });
        });
      });
    },

    /** The connections to its container, once the service is ready. `undefined`: the client has gone. */
    reach(known: Known, caller: Waiting): Pool | undefined | Promise<Pool | undefined> {
      const ready = after(services.use(known), () => awaitReady(known, caller));
      return after(ready, () => {
        if (caller.gone) return undefined;
        const pool = services.poolOf(known);
        if (pool === undefined) throw notPublished(known.record.head.name);
        return pool;
      });
    },

    /** The request as the container gets it. */
    prepare(
      { known, pass }: Admitted,
      { method, host, fields, address, target }: Wanted,
      bodyLength: number | undefined,
      upgrade: string | undefined,
    ): Prepared {
      const prefix = target.kind === 'path' ? `/s/${target.id}` : '';
      // By path too it is sent the host name of the service: links that it makes from it lead to the service's own origin.
      const hostForContainer =
        prefix === '' ? host : new URL(serviceUrl(known.record.head, gateway.env)).host;
      const head = requestHead({
        method,
        target: tokenInQuery(target.path).target,
        host: hostForContainer,
        fields,
        passAuthorization: pass.passAuthorization,
        bodyLength,
        from: { address, host, proto, prefix, trusted: trusts(address) },
        upgrade,
      });
      return {
        head,
        changeFields: (answer) =>
          prefix === '' ? ofHost(answer, host) : confine(answer, prefix, hostForContainer),
        hold: pass.hold,
      };
    },
  };
}

function admitted(known: Known, pass: Pass): Admitted {
  const { request, name } = known.record.head;
  if (request.port === undefined) throw noPort(name);
  return { known, pass };
}

const noPort = (name: string) =>
  new Problem(
    'not_found',
    `The service ${name} has no \`port\` for HTTP: create it with one, or call its \`tcpPorts\`.`,
  );

const notPublished = (name: string) =>
  new Problem(
    'service_unreachable',
    `The port of the service ${name} is not published on its worker's machine: restart the service.`,
  );

export type Entrance = ReturnType<typeof createEntrance>;
