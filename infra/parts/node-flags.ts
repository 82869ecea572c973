/**
 * What Node is told for a service, as in infra/Dockerfile. The notifier makes much that is gone a moment later, and V8 lets its nursery
 * grow to 64 MiB for that before it cleans up. 2,000 deliveries, by the size of half a nursery in MiB:
 *
 *   as it is  242–256 MiB at the most        8  156–158        4  145–153        2  139–159, no slower
 */
export const nodeFlags = (service: string): string[] =>
  service === 'notifier' ? ['--max-semi-space-size=2'] : [];
