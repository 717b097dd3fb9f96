/** What an AppID is made of; the length is that of its columns. */
export const APPID = /^[\w-]{1,64}$/;
