/** The playbook's commands, as they are printed there. */
export const STATUS: string = `awscurl --service s3 --region us-east-1 \\
  --access_key admin --secret_key admin \\
  http://localhost:9000/rustfs/admin/v3/kms/status`

export const CONFIGURE: string = `   awscurl --service s3 --region us-east-1 \\
     --access_key admin --secret_key admin \\
     -X POST -d '{
       "backend_type": "local",
       "key_dir": "/var/lib/rustfs/kms-keys",
       "default_key_id": "rustfs-master",
       "enable_cache": true,
       "cache_ttl_seconds": 900
     }' \\
     http://localhost:9000/rustfs/admin/v3/kms/configure`

export const START: string = `   awscurl --service s3 --region us-east-1 \\
     --access_key admin --secret_key admin \\
     -X POST http://localhost:9000/rustfs/admin/v3/kms/start`

export const CREATE_KEY: string = `   awscurl --service s3 --region us-east-1 \\
     --access_key admin --secret_key admin \\
     -X POST -d '{ "KeyUsage": "ENCRYPT_DECRYPT", "Description": "rotation-2024-09" }' \\
     http://localhost:9000/rustfs/admin/v3/kms/keys`

export const CACHE: string = `awscurl --service s3 --region us-east-1 \\
  --access_key admin --secret_key admin \\
  -X POST -d '{
    "enable_cache": true,
    "max_cached_keys": 2048,
    "cache_ttl_seconds": 600,
    "timeout_seconds": 20
  }' \\
  http://localhost:9000/rustfs/admin/v3/kms/reconfigure`

export const STOP: string = `awscurl --service s3 --region us-east-1 \\
  --access_key admin --secret_key admin \\
  -X POST http://localhost:9000/rustfs/admin/v3/kms/stop`

export const VAULT_ENABLE_TRANSIT = '   vault secrets enable transit'

export const VAULT_ENABLE_KV = '   vault secrets enable -path=secret kv-v2'

export const VAULT_MAKE_KEY = '   vault write transit/keys/rustfs-master type=aes256-gcm96'

export const SWITCH_TO_VAULT: string = `   awscurl --service s3 --region us-east-1 \\
     --access_key admin --secret_key admin \\
     -X POST -d '{
       "backend_type": "vault",
       "address": "https://vault.example.com:8200",
       "auth_method": { "approle": { "role_id": "...", "secret_id": "..." } },
       "mount_path": "transit",
       "kv_mount": "secret",
       "key_path_prefix": "rustfs/kms/keys",
       "default_key_id": "rustfs-master",
       "retry_attempts": 5,
       "timeout_seconds": 60
     }' \\
     http://localhost:9000/rustfs/admin/v3/kms/reconfigure`

export const SET_DEFAULT: string = `   awscurl --service s3 --region us-east-1 \\
     --access_key admin --secret_key admin \\
     -X POST -d '{
       "backend_type": "vault",
       "default_key_id": "rotation-2024-09"
     }' \\
     http://localhost:9000/rustfs/admin/v3/kms/reconfigure`

/** Calls the playbook has no command for. */
export const call = (path: string, body?: object): string => `awscurl --service s3 --region us-east-1 \\
  --access_key admin --secret_key admin \\
  ${body === undefined ? '' : `-X POST -d '${JSON.stringify(body)}' \\\n  `}http://localhost:9000/rustfs/admin/v3/kms/${path}`
