/// Every statement that is run more than once.
enum SQL: Int, CaseIterable {
  case begin, beginImmediate, commit, rollback, savepoint, release, rollbackTo

  // Names and tenants
  case namesInOrder, nameNumber, nameIRI, insertName
  case tenantsInOrder, tenantNumber, tenantName, insertTenant, nextNumber, reserveNumbers

  // Entities
  case entityById, entityByKey, entityKey, insertEntity, updateEntity, deleteEntity
  case expiredBefore, anyExpired
  case insertType, deleteType, insertScope, deleteScope, insertValue, deleteValue, insertGeometry, deleteGeometry
  case addToSummary, dropEmptySummaries, summaryCount, summaries

  // Candidates
  case keysInTenant, keysOfType, pageInTenant, pageOfType
  case keysWithAttribute, keysBetween, keysWithTextFrom, keysWithValue
  case keysInScope, keysBelowScope, keysInWindow

  // History
  case evolutionById, evolutionByKey, insertEvolution, updateEvolution, deleteEvolution
  case insertEvolutionType, deleteEvolutionType, evolutionsInTenant, evolutionsOfType
  case seriesNumber, seriesOfEvolution, insertSeries, deleteSeries
  case insertArrival, arrivals, arrivalFigures, deleteArrivals
  case pieceReaches, insertPiece, extendPiece, replacePiece, deletePiece, deletePieces, piece, pieces, pieceBefore,
    anyPiece

  // Documents and outbox
  case documentById, documentsInOrder, documentCount, putDocument, deleteDocument, deleteDocuments
  case outboxAfter, outboxOf, outboxCount, outboxCounts, enqueue, removeFromOutbox, postpone

  // Evidence
  case evidenceEnd, evidence, evidenceOfSubject, evidenceTile, appendEvidence, putEvidenceTile
}

extension SQL {
  var text: String {
    switch self {
    case .begin: "BEGIN"
    case .beginImmediate: "BEGIN IMMEDIATE"
    case .commit: "COMMIT"
    case .rollback: "ROLLBACK"
    case .savepoint: "SAVEPOINT body"
    case .release: "RELEASE body"
    case .rollbackTo: "ROLLBACK TO body"

    case .namesInOrder: "SELECT id, tenant, iri FROM name ORDER BY id LIMIT ?1"
    case .nameNumber: "SELECT id FROM name WHERE tenant = ?1 AND iri = ?2"
    case .nameIRI: "SELECT iri FROM name WHERE id = ?1"
    case .insertName: "INSERT INTO name(tenant, iri) VALUES (?1, ?2)"
    case .tenantsInOrder: "SELECT id, name FROM tenant ORDER BY id"
    case .tenantNumber: "SELECT id FROM tenant WHERE name = ?1"
    case .tenantName: "SELECT name FROM tenant WHERE id = ?1"
    case .insertTenant: "INSERT INTO tenant(name) VALUES (?1)"
    case .nextNumber: "SELECT next FROM counter WHERE id = 1"
    case .reserveNumbers: "UPDATE counter SET next = ?1 WHERE id = 1"

    case .entityById: "SELECT document, pk, expires FROM entity WHERE tenant = ?1 AND id = ?2"
    case .entityByKey: "SELECT document FROM entity WHERE pk = ?1"
    case .entityKey: "SELECT pk FROM entity WHERE tenant = ?1 AND id = ?2"
    case .insertEntity: "INSERT INTO entity(tenant, id, expires, document) VALUES (?1, ?2, ?3, ?4)"
    case .updateEntity: "UPDATE entity SET expires = ?2, document = ?3 WHERE pk = ?1"
    case .deleteEntity: "DELETE FROM entity WHERE pk = ?1"
    case .expiredBefore:
      """
      SELECT tenant, id FROM entity INDEXED BY entity_expires WHERE expires IS NOT NULL AND expires <= ?1
      ORDER BY expires LIMIT ?2
      """
    case .anyExpired:
      """
      SELECT pk FROM entity INDEXED BY entity_expires WHERE expires IS NOT NULL AND expires <= ?1 AND tenant = ?2
      LIMIT 1
      """
    case .insertType: "INSERT INTO entity_type(type, pk) VALUES (?1, ?2)"
    case .deleteType: "DELETE FROM entity_type WHERE type = ?1 AND pk = ?2"
    case .insertScope: "INSERT OR IGNORE INTO entity_scope(tenant, scope, pk) VALUES (?1, ?2, ?3)"
    case .deleteScope: "DELETE FROM entity_scope WHERE tenant = ?1 AND scope = ?2 AND pk = ?3"
    case .insertValue: "INSERT OR IGNORE INTO attribute_value(attribute, value, pk) VALUES (?1, ?2, ?3)"
    case .deleteValue: "DELETE FROM attribute_value WHERE attribute = ?1 AND value = ?2 AND pk = ?3"
    case .insertGeometry:
      "INSERT INTO geometry(id, west, east, south, north, attribute) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    case .deleteGeometry: "DELETE FROM geometry WHERE id = ?1"
    case .addToSummary:
      """
      INSERT INTO summary(tenant, type, attribute, kind, count) VALUES (?1, ?2, ?3, ?4, ?5)
      ON CONFLICT DO UPDATE SET count = count + excluded.count
      """
    case .dropEmptySummaries:
      "DELETE FROM summary WHERE tenant = ?1 AND type = ?2 AND attribute = ?3 AND kind = ?4 AND count <= 0"
    case .summaryCount: "SELECT count FROM summary WHERE tenant = ?1 AND type = ?2 AND attribute = 0 AND kind = 0"
    case .summaries: "SELECT type, attribute, kind, count FROM summary WHERE tenant = ?1"
    default: historyText
    }
  }

  private var historyText: String {
    switch self {
    case .evolutionById: "SELECT pk, head FROM evolution WHERE tenant = ?1 AND id = ?2"
    case .evolutionByKey: "SELECT id, head FROM evolution WHERE pk = ?1"
    case .insertEvolution: "INSERT INTO evolution(tenant, id, head) VALUES (?1, ?2, ?3)"
    case .updateEvolution: "UPDATE evolution SET head = ?2 WHERE pk = ?1"
    case .deleteEvolution: "DELETE FROM evolution WHERE pk = ?1"
    case .insertEvolutionType: "INSERT OR IGNORE INTO evolution_type(type, pk) VALUES (?1, ?2)"
    case .deleteEvolutionType: "DELETE FROM evolution_type WHERE type = ?1 AND pk = ?2"
    case .evolutionsInTenant: "SELECT pk FROM evolution WHERE tenant = ?1 AND pk > ?2 ORDER BY pk LIMIT ?3"
    case .evolutionsOfType: "SELECT pk FROM evolution_type WHERE type = ?1 AND pk > ?2 ORDER BY pk LIMIT ?3"
    case .seriesNumber: "SELECT id FROM series WHERE evolution = ?1 AND attribute = ?2"
    case .seriesOfEvolution: "SELECT id, attribute FROM series WHERE evolution = ?1 ORDER BY id"
    case .insertSeries: "INSERT INTO series(evolution, attribute) VALUES (?1, ?2)"
    case .deleteSeries: "DELETE FROM series WHERE id = ?1"
    case .insertArrival: "INSERT INTO arrival(evolution, number, body) VALUES (?1, ?2, ?3)"
    case .arrivals: "SELECT body FROM arrival WHERE evolution = ?1 ORDER BY number"
    case .arrivalFigures: "SELECT count(*), sum(length(body)) FROM arrival WHERE evolution = ?1"
    case .deleteArrivals: "DELETE FROM arrival WHERE evolution = ?1"
    case .insertPiece: "INSERT INTO piece(series, first, last, body) VALUES (?1, ?2, ?3, ?4)"
    case .extendPiece: "UPDATE piece SET last = ?2, body = ?3 WHERE id = ?1"
    case .replacePiece: "UPDATE piece SET first = ?2, last = ?3, body = ?4 WHERE id = ?1"
    case .deletePiece: "DELETE FROM piece WHERE id = ?1"
    case .deletePieces: "DELETE FROM piece WHERE series = ?1"
    case .piece: "SELECT body FROM piece WHERE id = ?1"
    case .pieces:
      "SELECT id, first, last FROM piece INDEXED BY piece_time WHERE series = ?1 AND last >= ?2 AND first <= ?3"
    case .pieceReaches: "SELECT 1 FROM piece INDEXED BY piece_time WHERE series = ?1 AND first < ?2 LIMIT 1"
    case .pieceBefore:
      """
      SELECT id, body FROM piece INDEXED BY piece_time WHERE series = ?1 AND last <= ?2
      ORDER BY series DESC, last DESC LIMIT 1
      """
    case .anyPiece: "SELECT 1 FROM piece INDEXED BY piece_time WHERE series = ?1 LIMIT 1"
    default: listText
    }
  }

  private var listText: String {
    switch self {
    case .keysInTenant:
      "SELECT pk FROM entity INDEXED BY entity_tenant WHERE tenant = ?1 AND pk > ?2 ORDER BY pk LIMIT ?3"
    case .keysOfType: "SELECT pk FROM entity_type WHERE type = ?1 AND pk > ?2 ORDER BY pk LIMIT ?3"
    case .pageInTenant:
      """
      SELECT entity.pk, document FROM
        (SELECT pk FROM entity INDEXED BY entity_tenant WHERE tenant = ?1 ORDER BY pk LIMIT ?2 OFFSET ?3) AS page
        CROSS JOIN entity ON entity.pk = page.pk
      """
    case .pageOfType:
      """
      SELECT entity.pk, document FROM
        (SELECT pk FROM entity_type WHERE type = ?1 ORDER BY pk LIMIT ?2 OFFSET ?3) AS page
        CROSS JOIN entity ON entity.pk = page.pk
      """
    case .keysWithAttribute: "SELECT pk FROM attribute_value WHERE attribute = ?1 LIMIT ?2"
    case .keysBetween: "SELECT pk FROM attribute_value WHERE attribute = ?1 AND value BETWEEN ?3 AND ?4 LIMIT ?2"
    case .keysWithTextFrom:
      "SELECT pk FROM attribute_value WHERE attribute = ?1 AND value >= ?3 AND value < x'' LIMIT ?2"
    case .keysWithValue: "SELECT pk FROM attribute_value WHERE attribute = ?1 AND value = ?3 LIMIT ?2"
    case .keysInScope: "SELECT pk FROM entity_scope WHERE tenant = ?1 AND scope = ?3 LIMIT ?2"
    case .keysBelowScope: "SELECT pk FROM entity_scope WHERE tenant = ?1 AND scope > ?3 AND scope < ?4 LIMIT ?2"
    case .keysInWindow:
      """
      SELECT id >> 20 FROM geometry
      WHERE west <= ?3 AND east >= ?4 AND south <= ?5 AND north >= ?6 AND attribute = ?1 LIMIT ?2
      """

    case .documentById: "SELECT body FROM document WHERE tenant = ?1 AND collection = ?2 AND id = ?3"
    case .documentsInOrder:
      """
      SELECT id, body FROM document INDEXED BY document_order WHERE tenant = ?1 AND collection = ?2
      ORDER BY pk LIMIT ?3 OFFSET ?4
      """
    case .documentCount: "SELECT count(*) FROM document WHERE tenant = ?1 AND collection = ?2"
    case .putDocument:
      """
      INSERT INTO document(tenant, collection, id, body) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT DO UPDATE SET body = excluded.body
      """
    case .deleteDocument: "DELETE FROM document WHERE tenant = ?1 AND collection = ?2 AND id = ?3"
    case .deleteDocuments:
      "DELETE FROM document WHERE pk IN (SELECT pk FROM document INDEXED BY document_order WHERE tenant = ?1 LIMIT ?2)"
    case .outboxAfter:
      """
      SELECT sequence, tenant, subscription, payload, due, attempts FROM outbox
      WHERE sequence > ?1 ORDER BY sequence LIMIT ?2
      """
    case .outboxOf:
      """
      SELECT sequence, tenant, subscription, payload, due, attempts FROM outbox INDEXED BY outbox_subscription
      WHERE tenant = ?3 AND subscription = ?4 AND sequence > ?1 ORDER BY sequence LIMIT ?2
      """
    case .outboxCount: "SELECT count(*) FROM outbox"
    case .outboxCounts: "SELECT tenant, subscription, count(*) FROM outbox GROUP BY tenant, subscription"
    case .enqueue:
      "INSERT INTO outbox(tenant, subscription, payload, due, attempts) VALUES (?1, ?2, ?3, ?4, ?5)"
    case .removeFromOutbox: "DELETE FROM outbox WHERE sequence = ?1"
    case .postpone: "UPDATE outbox SET attempts = ?2, due = ?3 WHERE sequence = ?1"
    case .evidenceEnd: "SELECT position + 1, time FROM evidence ORDER BY position DESC LIMIT 1"
    case .evidence:
      "SELECT entry, time, subject, register FROM evidence WHERE position >= ?1 AND position < ?2 ORDER BY position"
    case .evidenceOfSubject:
      """
      SELECT position FROM evidence INDEXED BY evidence_subject WHERE subject = ?1 AND position > ?2
      ORDER BY position LIMIT ?3
      """
    case .evidenceTile: "SELECT hashes FROM evidence_tile WHERE place = ?1"
    case .appendEvidence:
      "INSERT INTO evidence(position, time, entry, subject, register) VALUES (?1, ?2, ?3, ?4, ?5)"
    case .putEvidenceTile: "INSERT OR IGNORE INTO evidence_tile(place, hashes) VALUES (?1, ?2)"
    default: preconditionFailure("no text for \(self)")
    }
  }
}
