import { randomBytes } from 'node:crypto';

/** Uploaded files that are remembered; the oldest go first. */
const REMEMBERED = 20;

export interface Media {
  account: string;
  contentType: string;
  name: string;
  bytes: Buffer;
}

/** Temporary files (临时素材) by media_id. */
export class MediaBook {
  private readonly files = new Map<string, Media>();

  add(media: Media): string {
    const id = randomBytes(48).toString('base64url');
    this.files.set(id, media);
    const [oldest] = this.files.keys();
    if (this.files.size > REMEMBERED && oldest !== undefined) this.files.delete(oldest);
    return id;
  }

  find(id: string, account: string): Media | undefined {
    const media = this.files.get(id);
    return media?.account === account ? media : undefined;
  }
}
