import type { z } from 'zod';
import type { volume } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { fetchList, type Page } from '../http/fetch-list.ts';

export type Volume = z.infer<typeof volume>;

export const fetchVolumes = ({ api }: Context): Promise<Page<Volume>> =>
  fetchList<Volume>(api, '/v1/volumes');
