-- create without credentials
CREATE STAGE "MARKET"."RAW"."PRICES" URL = 'azure://acct.blob.core.windows.net/market-data/kafka-messages/' FILE_FORMAT = (FORMAT_NAME = '"MARKET"."RAW"."JSON"');

-- create with an integration
CREATE STAGE "MARKET"."RAW"."PRICES" URL = 'azure://acct.blob.core.windows.net/market-data/kafka-messages/' STORAGE_INTEGRATION = "BLOB" FILE_FORMAT = (FORMAT_NAME = '"MARKET"."RAW"."JSON"') COMMENT = 'c';

-- alter
ALTER STAGE "MARKET"."RAW"."PRICES" SET URL = 'azure://acct.blob.core.windows.net/market-data/other/' FILE_FORMAT = (TYPE = CSV);
ALTER STAGE "MARKET"."RAW"."PRICES" SET COMMENT = 'c';

-- alter the integration
ALTER STAGE "MARKET"."RAW"."PRICES" SET STORAGE_INTEGRATION = "BLOB" FILE_FORMAT = (FORMAT_NAME = '"MARKET"."RAW"."CSV"');

-- drop the encryption
ALTER STAGE "MARKET"."RAW"."PRICES" SET ENCRYPTION = (TYPE = 'NONE');

-- drop the credentials
ALTER STAGE "MARKET"."RAW"."PRICES" SET CREDENTIALS = (AZURE_SAS_TOKEN = '');

-- create with a token
CREATE STAGE X URL = 'azure://acct.blob.core.windows.net/market-data/kafka-messages/' CREDENTIALS = (AZURE_SAS_TOKEN = '?sv=SECRET&sig=a%2Bb') FILE_FORMAT = (FORMAT_NAME = '"MARKET"."RAW"."JSON"');

-- rotate the token
ALTER STAGE "M"."R"."S" SET CREDENTIALS = (AZURE_SAS_TOKEN = '?sv=SECRET');

-- create with encryption
CREATE STAGE X URL = 'azure://acct.blob.core.windows.net/market-data/kafka-messages/' ENCRYPTION = (TYPE = 'AZURE_CSE' MASTER_KEY = 'c2VjcmV0') FILE_FORMAT = (FORMAT_NAME = '"MARKET"."RAW"."JSON"');

-- set the master key
ALTER STAGE "M"."R"."S" SET ENCRYPTION = (TYPE = 'AZURE_CSE' MASTER_KEY = 'c2VjcmV0');

