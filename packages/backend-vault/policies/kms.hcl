# What the server needs on the Transit mount "transit" and the KV v2 mount "secret" with the prefix "rustfs/kms/keys".
# The token also has the policy "default", which lets it look itself up, renew itself and revoke itself.

# Which keys there are; make, describe and destroy them.
path "transit/keys"          { capabilities = ["list"] }
path "transit/keys/+"        { capabilities = ["read", "update", "delete"] }
path "transit/keys/+/config" { capabilities = ["update"] }
path "transit/keys/+/rotate" { capabilities = ["update"] }

# Bring your own key.
path "transit/wrapping_key"  { capabilities = ["read"] }
path "transit/keys/+/import" { capabilities = ["update"] }

# Not "create": with it, encrypting under an unknown name would make a key of that name, a destroyed one included.
path "transit/encrypt/+"     { capabilities = ["update"] }
path "transit/decrypt/+"     { capabilities = ["update"] }

# The records of the keys, and the store's own. Nothing here is ever deleted.
path "secret/metadata/rustfs/kms/keys" { capabilities = ["list"] }
path "secret/data/rustfs/kms/keys/+"   { capabilities = ["create", "read", "update"] }
