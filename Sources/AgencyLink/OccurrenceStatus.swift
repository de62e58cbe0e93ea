/// Where an occurrence stands (`ocrSts`).
///
/// The numbers and names are those of the published module. Which may follow which is said nowhere in it; the table is
/// ours.
public enum OccurrenceStatus: String, Sendable, Hashable, CaseIterable {
  /// 발생: it happens.
  case occurred = "10"
  /// 정보변경: something about it is known better.
  case updated = "40"
  /// 해제: the danger is over.
  case cleared = "50"
  /// 취소: it was none.
  case cancelled = "90"
  /// 완료, or 자동종료 where nobody ended it: the module has one number for both.
  case completed = "91"

  /// What stands beside the number (`ocrEvtStsDtl`).
  public var name: String {
    switch self {
    case .occurred: "발생"
    case .updated: "변경"
    case .cleared: "해제"
    case .cancelled: "취소"
    case .completed: "종료"
    }
  }

  /// Nothing follows.
  public var isFinal: Bool { self == .cancelled || self == .completed }

  /// What may come next. From *cleared* an update leads back: the danger is there again.
  public var followers: Set<OccurrenceStatus> {
    switch self {
    case .occurred, .updated: [.updated, .cleared, .cancelled, .completed]
    case .cleared: [.updated, .cancelled, .completed]
    case .cancelled, .completed: []
    }
  }
}
