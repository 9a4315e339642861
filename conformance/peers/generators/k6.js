// The job of the other generators, for k6: the same request again and again from fifty users, the content not kept.
import http from "k6/http";

export const options = {
  vus: 50,
  duration: `${__ENV.SECONDS}s`,
  discardResponseBodies: true,
  summaryTrendStats: ["med", "p(99)"],
};

export default function () {
  http.get(__ENV.URL);
}
