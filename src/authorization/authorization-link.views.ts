import { z } from 'zod';
import { timeView } from '../http/field-schemas.js';

/** Fields of a wish for authorization links, as page query and as JSON. */
export const linkFields = {
  authType: z
    .string()
    .regex(/^[1-8]$/)
    .optional(),
  bizAppId: z.string().max(64).optional(),
  categoryIdList: z
    .string()
    .regex(/^\d+(\|\d+)*$/)
    .optional(),
  state: z.string().max(512).optional(),
  returnTo: z.url().max(2048).optional(),
};

export const linksBody = z
  .strictObject({
    componentAppId: z.string().min(1).max(64),
    ...linkFields,
  })
  .meta({ id: 'AuthorizationLinkWish' });
export const linksView = z
  .object({ pc: z.url(), h5: z.url(), expiresAt: timeView })
  .meta({ id: 'AuthorizationLinks' });
