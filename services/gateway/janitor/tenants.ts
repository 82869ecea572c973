import * as apiKeys from '../../../shared/stores/api-keys.ts';
import type { Gateway } from '../gateway.ts';

export const knownTenants = ({ redis, keys }: Gateway): Promise<Set<string>> =>
  apiKeys.knownTenants(redis, keys);
