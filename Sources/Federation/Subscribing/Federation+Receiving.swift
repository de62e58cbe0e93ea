import Hub
import NGSI
import Query
import Store

extension Federation {
  /// Takes what a source notifies, and puts it into the outbox of the subscription that it is for (clause 5.8.6).
  ///
  /// - Parameters:
  ///   - context: what the names in it are read with.
  ///   - token: the secret that the source was told.
  /// - Throws: `ResourceNotFound` where no source is to notify that address; `BadRequestData` for what is no notification
  ///   or says nothing that the source is registered for.
  public func receive(_ notification: JSON, context: Context, token: String) async throws(Problem) {
    guard let one = hub.sourceSubscription(token: token), !one.isEnding,
      let subscription = hub.distributed(one.key.subscription, in: one.key.tenant),
      let registration = hub.allRegistrations(in: one.key.tenant).first(where: { $0.id == one.key.registration }),
      let match = try registration.match(subscription.sourceQuery)
    else { throw .notFound("nothing is to be notified here") }
    guard notification["type"]?.string == "Notification", let id = notification["subscriptionId"]?.string,
      id == one.id || id == one.idAtSource
    else { throw .badRequest("a Notification of the subscription that this address was made for is expected") }
    guard case .array(let items)? = notification["data"], !items.isEmpty, items.count <= hub.limits.batchEntities else {
      throw .badRequest("'data' must be an array of 1 to \(hub.limits.batchEntities) entities")
    }
    guard subscription.isActive else { return }
    let reader = EntityReader(context: context, rules: .systemMembers)
    var entities: [Entity] = []
    var refusals: [Problem] = []
    for item in items {
      do throws(Problem) {
        guard let entity = match.restricted(try reader.entity(item).entity()) else {
          throw .badRequest("the registration does not speak of \(item["id"]?.string ?? "it")")
        }
        entities.append(entity)
      } catch {
        refusals.append(error)
        hub.noteRefused(
          RefusedInput(
            door: "notification", source: registration.id, tenant: one.key.tenant, problem: error,
            entityId: item["id"]?.string, sample: String(JSONWriter.text(item).prefix(512))))
      }
    }
    guard !entities.isEmpty else {
      throw .badRequest("nothing of it can be passed on: \(refusals.first?.detail ?? "")")
    }
    let assembles = subscription.splits ?? splitsEntities
    let selected = hub.selected(
      entities, for: subscription.id, judges: one.filtersHere && !assembles, in: subscription.tenant)
    guard !selected.isEmpty else { return }
    _ = try await hub.passOn(selected, from: one, assembles: assembles)
  }

  /// The entities of which a notification has a part, put together with what the hub and all other sources have of them,
  /// and judged then (clause 5.8.6, `splitEntities`). What was deleted is told as it is.
  func assembled(_ parts: [Entity], for subscription: DistributedSubscription, from source: String?) async -> [Entity] {
    let origin = RequestOrigin(tenant: subscription.tenant, via: subscription.origin.via) { name in
      subscription.origin.headers.first { $0.key.lowercased() == name.lowercased() }?.value
    }
    var whole: [Entity] = []
    for part in parts {
      guard part.deletedAt == nil else {
        whole.append(part)
        continue
      }
      let others = try? await retrieve(
        part.id, types: nil, attributes: [], datasetIds: [], context: subscription.context, except: source, origin)
      let versions = [part] + (others?.entity.map { [$0] } ?? [])
      if let entity = EntityMerging.merged(versions, at: hub.time) { whole.append(entity) }
    }
    return hub.selected(whole, for: subscription.id, judges: true, in: subscription.tenant)
  }
}
