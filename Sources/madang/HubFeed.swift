import Hub
import Ingest
import NGSI
import Store

/// What adapters bring, into the hub.
struct HubFeed: FeedSink {
  let hub: Hub

  func take(_ input: AdaptedInput, from feed: FeedName) async throws(Problem) -> FeedOutcome {
    let context = try await hub.context(feed.context)
    let reader = EntityReader(context: context)
    let fragments = input.entities.map { json -> Result<EntityFragment, Problem> in
      do throws(Problem) { return .success(try reader.entity(json)) } catch { return .failure(error) }
    }
    // It writes as itself, so that rules can say what it may.
    var adapter = Caller(.adapter, id: feed.adapter)
    adapter.produces = feed.types.map { context.expand($0) }
    let result = await Caller.$current.withValue(adapter) { () async -> Result<FedReadings, Problem> in
      do throws(Problem) { return .success(try await hub.feed(fragments, in: .default)) } catch {
        return .failure(error)
      }
    }
    let fed = try result.get()
    for (index, problem) in fed.refused {
      note(problem, input.entities[index]["id"]?.string, JSONWriter.text(input.entities[index]), feed)
    }
    for refused in input.refused { note(refused.problem, refused.entityId, JSONWriter.text(refused.part), feed) }
    return FeedOutcome(stored: fed.stored, known: fed.known, refused: fed.refused.count + input.refused.count)
  }

  func refuse(_ problem: Problem, sample: String, from feed: FeedName) { note(problem, nil, sample, feed) }

  private func note(_ problem: Problem, _ entityId: String?, _ sample: String, _ feed: FeedName) {
    hub.noteRefused(
      RefusedInput(
        door: "adapter " + feed.adapter, source: feed.source, tenant: .default, problem: problem, entityId: entityId,
        sample: String(sample.prefix(512))))
  }
}

extension FeedBoard {
  /// A section of the health report: one gauge for each adapter.
  var health: JSON {
    var section = JSONObject()
    for status in all {
      var gauge = JSONObject()
      gauge["value"] = .string(status.state.rawValue)
      gauge["state"] =
        switch status.state {
        case .ok, .waiting: "green"
        case .partly: "amber"
        case .failing: "red"
        }
      gauge["note"] = .string(status.sentence)
      section[status.id] = .object(gauge)
    }
    return .object(section)
  }
}

extension FeedStatus {
  /// What happened last, and how much came in all.
  fileprivate var sentence: String {
    var parts = [
      "\(source): stored \(total.stored), known \(total.known), refused \(total.refused)"
    ]
    if let lastSuccess { parts.append("last success \(lastSuccess)") }
    if let lastFailure { parts.append("last failure \(lastFailure): \(reason ?? "")") }
    if let nextRun { parts.append("next \(nextRun)") }
    return parts.joined(separator: "; ")
  }
}
