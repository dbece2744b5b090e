"""One operation of boto3, as its users write it: s3-tools.py <operation> <mode> <bucket> <key> <argument>."""

import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

operation, mode, bucket, key, argument = sys.argv[1:]
customer_key = bytes.fromhex(os.environ["CUSTOMER_KEY"])
customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": customer_key}
source = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": customer_key}
writing = {
    "plain": {},
    "SSE-S3": {"ServerSideEncryption": "AES256"},
    "SSE-KMS": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": os.environ["KMS_KEY"]},
    "SSE-C": customer,
}[mode]
reading = customer if mode == "SSE-C" else {}
parts = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=5 << 20)

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["ENDPOINT"],
    region_name="us-east-1",
    verify=os.environ.get("AWS_CA_BUNDLE") or True,
    # Unless told, boto3 presigns as AWS did before 2014.
    config=Config(signature_version="s3v4"),
)

if operation == "put":
    s3.upload_file(argument, bucket, key, ExtraArgs={**writing, "Metadata": {"written-by": "boto3"}}, Config=parts)
    assert s3.head_object(Bucket=bucket, Key=key, **reading)["Metadata"] == {"written-by": "boto3"}
elif operation == "get":
    s3.download_file(bucket, key, argument, ExtraArgs=reading, Config=parts)
elif operation == "range":
    first, last, into = argument.split(",")
    reply = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={first}-{last}", **reading)
    with open(into, "wb") as file:
        file.write(reply["Body"].read())
elif operation == "copy":
    extra = {**writing, **(source if mode == "SSE-C" else {})}
    client = {"SourceClient": s3}
    s3.copy({"Bucket": bucket, "Key": key}, bucket, argument, ExtraArgs=extra, Config=parts, **client)
elif operation == "list":
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    print("\n".join(item["Key"] for page in pages for item in page.get("Contents", [])))
elif operation == "presign":
    print(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}))
elif operation == "remove":
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [item["Key"] for item in reply["Deleted"]] == [key], reply
else:
    raise SystemExit(f"unknown operation {operation}")
