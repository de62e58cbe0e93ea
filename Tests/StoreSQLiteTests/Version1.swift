/// A store as version 1 wrote it: one entity of two attributes with their history. Never to be changed; a later version
/// must still read it.
let storeOfVersion1 = """
  CREATE TABLE tenant(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE name(id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, iri TEXT NOT NULL, UNIQUE(tenant, iri));
  CREATE TABLE counter(id INTEGER PRIMARY KEY, next INTEGER NOT NULL);
  CREATE TABLE entity(
    pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, id TEXT NOT NULL, expires INTEGER,
    document BLOB NOT NULL, UNIQUE(tenant, id));
  CREATE INDEX entity_tenant ON entity(tenant);
  CREATE INDEX entity_expires ON entity(expires) WHERE expires IS NOT NULL;
  CREATE TABLE entity_type(type INTEGER NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(type, pk)) WITHOUT ROWID;
  CREATE TABLE entity_scope(
    tenant INTEGER NOT NULL, scope TEXT NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(tenant, scope, pk)) WITHOUT ROWID;
  CREATE TABLE attribute_value(
    attribute INTEGER NOT NULL, value NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(attribute, value, pk)) WITHOUT ROWID;
  CREATE VIRTUAL TABLE geometry USING rtree(id, west, east, south, north, +attribute INTEGER);
  CREATE TABLE summary(
    tenant INTEGER NOT NULL, type INTEGER NOT NULL, attribute INTEGER NOT NULL, kind INTEGER NOT NULL,
    count INTEGER NOT NULL, PRIMARY KEY(tenant, type, attribute, kind)) WITHOUT ROWID;
  CREATE TABLE evolution(
    pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, id TEXT NOT NULL, head BLOB NOT NULL,
    UNIQUE(tenant, id));
  CREATE INDEX evolution_tenant ON evolution(tenant);
  CREATE TABLE evolution_type(type INTEGER NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(type, pk)) WITHOUT ROWID;
  CREATE TABLE series(
    id INTEGER PRIMARY KEY, evolution INTEGER NOT NULL, attribute INTEGER NOT NULL,
    UNIQUE(evolution, attribute));
  CREATE TABLE instance(
    series INTEGER NOT NULL, time INTEGER NOT NULL, number INTEGER NOT NULL, flags INTEGER NOT NULL,
    created INTEGER, modified INTEGER, value, unit INTEGER, dataset INTEGER, body BLOB,
    PRIMARY KEY(series, time, number)) WITHOUT ROWID;
  CREATE TABLE document(
    pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL,
    body BLOB NOT NULL, UNIQUE(tenant, collection, id));
  CREATE INDEX document_order ON document(tenant, collection);
  CREATE TABLE outbox(
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL, subscription TEXT NOT NULL,
    payload BLOB NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL);
  CREATE INDEX outbox_subscription ON outbox(tenant, subscription);
  INSERT INTO tenant VALUES(1,'');
  INSERT INTO name VALUES(1,1,'urn:T');
  INSERT INTO name VALUES(2,1,'urn:a');
  INSERT INTO name VALUES(3,1,'urn:b');
  INSERT INTO name VALUES(4,1,'urn:sub');
  INSERT INTO counter VALUES(1,10001);
  INSERT INTO entity VALUES(1,1,'urn:e:1',NULL,X'010775726e3a653a31010101042f612f62000202010140035400401e18240a060003010480200802026b6f0609ed959ceab5adec96b402656e07020601780601790104010140035400401e18240a0600');
  INSERT INTO entity_type VALUES(1,1);
  INSERT INTO entity_scope VALUES(1,'/a/b',1);
  INSERT INTO attribute_value VALUES(2,42.0,1);
  INSERT INTO attribute_value VALUES(3,'x',1);
  INSERT INTO attribute_value VALUES(3,'y',1);
  INSERT INTO attribute_value VALUES(3,'한국어',1);
  INSERT INTO summary VALUES(1,0,0,0,1);
  INSERT INTO summary VALUES(1,0,2,0,1);
  INSERT INTO summary VALUES(1,0,2,1,1);
  INSERT INTO summary VALUES(1,0,3,0,1);
  INSERT INTO summary VALUES(1,0,3,4,1);
  INSERT INTO summary VALUES(1,1,0,0,1);
  INSERT INTO summary VALUES(1,1,2,0,1);
  INSERT INTO summary VALUES(1,1,2,1,1);
  INSERT INTO summary VALUES(1,1,3,0,1);
  INSERT INTO summary VALUES(1,1,3,4,1);
  INSERT INTO evolution VALUES(1,1,'urn:e:1',X'010101042f612f62');
  INSERT INTO evolution_type VALUES(1,1);
  INSERT INTO series VALUES(1,1,2);
  INSERT INTO series VALUES(2,1,3);
  INSERT INTO instance VALUES(1,1700000000000000,1,1089,1700000000000000,NULL,42,NULL,NULL,NULL);
  INSERT INTO instance VALUES(2,1795367104872122,2,8196,NULL,NULL,NULL,NULL,NULL,X'0480200802026b6f0609ed959ceab5adec96b402656e07020601780601790104010140035400401e18240a0600');
  PRAGMA user_version = 1;
  """
