import { z } from 'zod';
import { type RunPolicy, runFields } from '../../../shared/contracts/run-fields.ts';

/**
 * What the document says of the body of `POST /v1/runs`: one schema for an image and one for a language, so that generated clients
 * know that exactly one of the two is named. What validates is one schema for both, whose errors name the field.
 */
export function runRequestDocument(policy: RunPolicy) {
  const fields = runFields(policy);
  const { image, language } = fields.shape;
  return z
    .union([
      fields.omit({ language: true, code: true }).extend({ image: image.unwrap() }).meta({
        id: 'ImageRunRequest',
        description: 'An image, with the command that it brings or another.',
      }),
      fields
        .omit({ image: true, command: true, entrypoint: true })
        .extend({ language: language.unwrap() })
        .meta({ id: 'CodeRunRequest', description: 'Code in a language: `code`, or `files`.' }),
    ])
    .openapi(
      'RunRequest',
      { description: 'Exactly one of `image` and `language` says what to run.' },
      { unionPreferredType: 'oneOf' },
    );
}
