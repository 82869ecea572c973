import { z } from 'zod';
import { distance } from '../../../shared/did-you-mean.ts';

/** Which field was probably meant by a name that is not known. */

/** What other systems call our fields, as `fold` writes it. */
const aliases: Record<string, string> = {
  source: 'code',
  sourcecode: 'code',
  src: 'code',
  script: 'code',
  cmd: 'command',
  lang: 'language',
  environment: 'env',
  envvars: 'env',
  cwd: 'workdir',
  workingdir: 'workdir',
  workingdirectory: 'workdir',
  argv: 'args',
  arguments: 'args',
  input: 'stdin',
  timelimit: 'timeoutMs',
  maxtime: 'timeoutMs',
  mem: 'memoryBytes',
  ram: 'memoryBytes',
  memorylimit: 'memoryBytes',
  cpu: 'cpus',
  labels: 'metadata',
};

/** Longer names are nobody's slip. */
const maxCharacters = 40;

/** @param path of the object that has the field */
export function meantField(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
  name: string,
): string | undefined {
  if (name.length > maxCharacters) return undefined;
  const here = fieldsAt(schema, path);
  const inLimits = fieldsAt(schema, [...path, 'limits']);
  const same = (fields: string[]) => {
    const alias = aliases[fold(name)];
    return fields.find((field) => field === alias || fold(field) === fold(name));
  };
  const limit = same(inLimits);
  return same(here) ?? (limit === undefined ? undefined : `limits.${limit}`) ?? nearest(here, name);
}

/** Without what people write in different ways: capitals, underscores, and the unit at the end. */
const fold = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/(?<=.)(?:ms|bytes)$/, '');

function nearest(fields: string[], name: string): string | undefined {
  const most = name.length < 3 ? 0 : name.length < 5 ? 1 : name.length < 9 ? 2 : 3;
  return fields
    .map((field) => ({ field, faults: distance(field.toLowerCase(), name.toLowerCase()) }))
    .filter(({ faults }) => faults <= most)
    .sort((a, b) => a.faults - b.faults)[0]?.field;
}

/** The names of the fields that an object at this path may have. */
function fieldsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  return path
    .reduce((schemas: z.core.$ZodType[], part) => schemas.flatMap((one) => below(one, part)), plain(schema))
    .flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : []));
}

function below(schema: z.core.$ZodType, part: PropertyKey): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const child = Object.hasOwn(schema.shape, part) ? schema.shape[part as string] : undefined;
    return child === undefined ? [] : plain(child);
  }
  if (schema instanceof z.ZodArray) return plain(schema.element);
  return [];
}

/** What a schema checks, without what is wrapped around it. */
function plain(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodPipe) return [...plain(schema.in), ...plain(schema.out)];
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(plain);
  const { innerType } = schema._zod.def as { innerType?: z.core.$ZodType };
  return innerType === undefined ? [schema] : plain(innerType);
}
