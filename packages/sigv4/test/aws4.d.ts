declare module 'aws4' {
  export interface Request {
    host?: string
    path?: string
    method?: string
    service?: string
    region?: string
    body?: string
    headers?: Record<string, string | number>
  }
  export interface Keys {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
  const aws4: { readonly sign: (request: Request, keys: Keys) => Required<Request> }
  export default aws4
}
