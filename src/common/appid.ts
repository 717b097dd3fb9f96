/** What an AppID is made of, for patterns that have one within; the length is that of its columns. */
export const APPID_CHARACTERS = String.raw`[\w-]{1,64}`;
export const APPID = new RegExp(`^${APPID_CHARACTERS}$`);
