import Hub
import NGSI
import Store

/// What a privacy officer needs to know of a period: who saw what on what ground, what left the city, what was refused, what went,
/// and what is not as it should be.
public struct VideoReport: Sendable {
  public var from, to: DateTime
  /// Each as it was written down, in order of time.
  public var views: [JSON]
  public var exports: [JSON]
  public var refusals: [JSON]
  public var deletions: [JSON]
  /// Grants that were taken without being asked for, and that nobody has reviewed.
  public var unreviewed: [JSON]
  /// Cameras in whose pictures heads are shown.
  public var unmasked: [String]
  /// Clips that stay though their time is over: their incident is open.
  public var heldClips: Int
  public var clips: Int
  public var cameras: Int

  /// Views of which no grant is written down, though somebody real was in the pictures.
  public var groundless: [JSON] { views.filter { $0["grant"] == nil && $0["synthetic"] == nil } }

  public var json: JSON {
    [
      "from": .string(from.description), "to": .string(to.description),
      "cameras": .integer(Int64(cameras)), "unmaskedCameras": .array(unmasked.map(JSON.string)),
      "clips": .integer(Int64(clips)), "heldClips": .integer(Int64(heldClips)),
      "views": .array(views), "exports": .array(exports), "refusals": .array(refusals),
      "deletions": .array(deletions), "unreviewed": .array(unreviewed), "viewsWithoutGrant": .array(groundless),
      "byPerson": byPerson,
    ]
  }

  /// Views, seconds and exports of each person.
  private var byPerson: JSON {
    struct Sum {
      var who: JSON
      var views = 0
      var seconds: Int64 = 0
      var exports = 0
      var refusals = 0
    }
    var sums: [String: Sum] = [:]
    func add(_ items: [JSON], _ change: (inout Sum, JSON) -> Void) {
      for item in items {
        guard let by = item["by"] else { continue }
        let key = (by["kind"]?.string ?? "") + " " + (by["id"]?.string ?? "")
        change(&sums[key, default: Sum(who: by)], item)
      }
    }
    add(views) {
      $0.views += 1
      $0.seconds += $1["seconds"]?.integer ?? 0
    }
    add(exports) { sum, _ in sum.exports += 1 }
    add(refusals) { sum, _ in sum.refusals += 1 }
    return .array(
      sums.sorted { $0.key < $1.key }.map { _, sum in
        [
          "by": sum.who, "views": .integer(Int64(sum.views)), "seconds": .integer(sum.seconds),
          "exports": .integer(Int64(sum.exports)), "refusals": .integer(Int64(sum.refusals)),
        ]
      })
  }
}

extension VideoDesk {
  /// - Throws: `Forbidden` for who may not review access to the city's cameras; `OperationNotSupported` where access is open.
  public func report(from: DateTime, to: DateTime, in tenant: Tenant = .default) throws(Problem) -> VideoReport {
    guard from < to else { throw .badRequest("'from' is before 'to'") }
    for camera in station.plan.cameras {
      try hub.permitReviewing(camera.entity(state: "", at: hub.time), in: tenant)
    }
    func part(_ collection: String, _ member: String) throws(Problem) -> [JSON] {
      try station.all(collection).map(\.body).filter { body in
        guard let at = body[member]?.string.flatMap({ DateTime($0) }) else { return false }
        return at >= from && at < to
      }.sorted { ($0[member]?.string ?? "") < ($1[member]?.string ?? "") }
    }
    let synthetic = Set(station.plan.cameras.filter(\.isSynthetic).map(\.id))
    let views = try part(Self.viewLog, "openedAt").map { view -> JSON in
      guard var object = view.object, synthetic.contains(view["camera"]?.string ?? "") else { return view }
      object["synthetic"] = true
      return .object(object)
    }
    let cameras = Set(station.plan.cameras.map(\.id))
    let unreviewed = try hub.grants(.unreviewed, in: tenant).filter { grant in
      grant.things.contains { thing in
        thing.id.map(cameras.contains) ?? (thing.type.map { $0 == Self.cameraType } ?? true)
      }
    }.map { JSON.object($0.shown(at: hub.time)) }
    let clips = try station.clips { $0.state == .kept }
    let latest = hub.time.adding(seconds: -station.plan.keeping.clips)
    return VideoReport(
      from: from, to: to, views: views, exports: try part(Self.exportLog, "at"),
      refusals: try part(Self.refusalLog, "at"), deletions: try part(Self.deletionLog, "at"), unreviewed: unreviewed,
      unmasked: station.plan.cameras.filter { !$0.privacy.hidesHeads && !$0.isSynthetic }.map(\.id),
      heldClips: clips.count { $0.at < latest }, clips: clips.count, cameras: cameras.count)
  }

  static var cameraType: String { Context.core.expand(CameraStation.type) }
}

extension Grant {
  fileprivate var things: [Thing] { if case .access(_, let things, _) = what { things } else { [] } }
}
